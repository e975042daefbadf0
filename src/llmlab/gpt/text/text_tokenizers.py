"""Text tokenizers: any Unicode text to token ids and back.

Two ways to leave no character out: spell the text in bytes before pairs are merged (byte-level
BPE, as GPT-2 does), or spell in bytes only the characters that have no id of their own.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, Field, ValidationError
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from llmlab.method.errors import LabError
from llmlab.method.files import write_file

END_OF_TEXT = "<|endoftext|>"
"""The token between two documents. Text never makes it: there it is spelled like any other."""

PROBE = f" Two  spaces,\r\n\ttabs, caf\u00e9, \ufb01, \U0001f600 and {END_OF_TEXT}\n"


@dataclass(frozen=True, eq=False)
class TextTokenizer:
    """Text to ids and back, without loss.

    Raises:
        LabError: `core` does not give back every text that it is given.
    """

    core: Tokenizer

    def __post_init__(self) -> None:
        self.core.add_special_tokens([END_OF_TEXT])  # none is added where there is one
        self.core.encode_special_tokens = True
        if self.decode(self.encode(PROBE)) != PROBE:
            raise LabError(
                "the tokenizer changes text (case, spaces or rare characters): "
                "take a byte-level one, such as GPT-2's."
            )

    @property
    def vocab_size(self) -> int:
        """Ids are 0 to `vocab_size` - 1."""
        return self.core.get_vocab_size()

    @property
    def end_of_text(self) -> int:
        """The id that stands between two documents."""
        return self.core.token_to_id(END_OF_TEXT)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what `save` writes, in hexadecimal digits."""
        return hashlib.sha256(self.core.to_str().encode()).hexdigest()

    def encode(self, text: str) -> list[int]:
        """The ids of `text`; errors as `encode_many`."""
        return self.encode_many([text])[0]

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text, encoded side by side on the machine's cores.

        Raises:
            LabError: a text holds half a character (a lone surrogate), which is not Unicode.
        """
        try:
            encodings = self.core.encode_batch_fast(texts, add_special_tokens=False)
        except TypeError:
            raise LabError(
                "the text holds bytes that are not UTF-8: convert it to UTF-8 first."
            ) from None
        return [encoding.ids for encoding in encodings]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`; bytes that form no character become the sign U+FFFD."""
        return self.core.decode(list(ids), skip_special_tokens=False)

    def token_bytes(self, index: int) -> bytes:
        """The bytes that the token `index` spells; some spell only a part of a character."""
        return self._spelling[index]

    def token_text(self, index: int) -> str:
        """The token `index` for display; parts of characters as bytes: <0xC3>."""
        spelled = self._spelling[index]
        try:
            return spelled.decode()
        except UnicodeDecodeError:
            return "".join(map(_byte_name, spelled))

    @cached_property
    def byte_lengths(self) -> np.ndarray:
        """[vocab_size] int64: bytes of text behind each id; none behind `end_of_text`."""
        lengths = np.array([len(spelled) for spelled in self._spelling])
        lengths[self.end_of_text] = 0
        return lengths

    def save(self, path: Path) -> None:
        """Write the tokenizer as one JSON file, which the library `tokenizers` reads too."""
        write_file(path, self.core.to_str(pretty=True))

    @cached_property
    def _spelling(self) -> tuple[bytes, ...]:
        spell = _spell_bytes if isinstance(self.core.decoder, decoders.ByteLevel) else _spell
        return tuple(spell(self.core.id_to_token(index)) for index in range(self.vocab_size))


Affix = Annotated[str, Field(max_length=0)] | None
"""Prefix of pieces within a word: a lossless tokenizer has none; a long one aborts the library."""


class TokenizerModel(BaseModel):
    """The checks of the model in a tokenizer's file before the library reads it."""

    continuing_subword_prefix: Affix = None
    end_of_word_suffix: Affix = None


class TokenizerFile(BaseModel):
    """`tokenizer.json`, in the form of the library `tokenizers`."""

    model: TokenizerModel


def train_bpe(texts: Iterable[str], vocab_size: int) -> TextTokenizer:
    """Byte-level BPE (1508.07909, GPT-2's variant) trained on `texts`, which are streamed.

    The vocabulary holds the 256 bytes, the end of text, and merges up to `vocab_size` ids in all;
    a short text has fewer pairs that occur twice. The same texts give the same ids.

    Raises:
        LabError: `vocab_size` has no room for the bytes and the end of text.
    """
    smallest = len(BYTE_NAMES) + 1
    if vocab_size < smallest:
        raise LabError(
            f"a vocabulary of {vocab_size} ids is too small for byte-level BPE: "
            f"ask for {smallest} or more (256 bytes and the end of text)."
        )
    core = _byte_level(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    return TextTokenizer(core)


def characters(texts: Iterable[str]) -> TextTokenizer:
    """One id for each character of `texts`, which are streamed, then 256 for bytes.

    Characters stand in the order of Unicode. A character that `texts` does not hold is spelled in
    the bytes of its UTF-8.
    """
    alphabet: set[str] = set()
    for text in texts:
        alphabet.update(text)
    vocabulary = {token: index for index, token in enumerate([*sorted(alphabet), *BYTE_NAMES])}
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=[], byte_fallback=True))
    core.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    return TextTokenizer(core)


def gpt2_tokenizer(source: str | Path = "gpt2") -> TextTokenizer:
    """GPT-2's BPE: from a folder (tokenizer.json, or vocab.json and merges.txt) or the hub.

    Raises:
        LabError: the folder lacks these files, or the hub id `source` cannot be fetched.
    """
    folder = Path(source)
    if not folder.is_dir():
        return _from_hub(str(source))
    if (folder / "tokenizer.json").is_file():
        return load_tokenizer(folder / "tokenizer.json")
    files = folder / "vocab.json", folder / "merges.txt"
    for file in files:
        if not file.is_file():
            raise LabError(
                f"{folder} holds no {file.name}: a folder with tokenizer.json, or with "
                "vocab.json and merges.txt, is needed."
            )
    try:
        model = models.BPE.from_file(*map(str, files))
    except Exception as error:  # the library raises nothing narrower
        raise LabError(f"{folder} holds no BPE ({error}): fetch its files again.") from error
    return TextTokenizer(_byte_level(model))


def load_tokenizer(path: Path) -> TextTokenizer:
    """The tokenizer that `TextTokenizer.save` wrote to `path`.

    Raises:
        LabError: there is no such file, or it is not a tokenizer.
    """
    if not path.is_file():
        raise LabError(f"there is no tokenizer at {path}: name the JSON file of one.")
    try:
        content = path.read_bytes()
        TokenizerFile.model_validate_json(content)
        tokenizer = TextTokenizer(Tokenizer.from_buffer(content))
        if not tokenizer.byte_lengths.any():  # raises where an id spells no bytes
            raise _no_tokenizer(path, "its ids spell nothing")
    except LabError as error:
        raise LabError(f"{path} cannot be used: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise _no_tokenizer(path, " ".join([*map(str, first["loc"]), first["msg"]])) from error
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # the library raises nothing narrower, and panics beside
        raise _no_tokenizer(path, " ".join(str(error).split())[:200]) from error
    return tokenizer


def _no_tokenizer(path: Path, cause: str) -> LabError:
    return LabError(f"{path} is not a tokenizer ({cause}): make or copy it again.")


def _byte_level(model: models.BPE) -> Tokenizer:
    core = Tokenizer(model)
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    return core


def _from_hub(name: str) -> TextTokenizer:
    try:
        core = Tokenizer.from_pretrained(name)
    except Exception as error:  # network, hub and file raise errors of many kinds
        raise LabError(
            f'there is no folder "{name}", and Hugging Face does not give a tokenizer of that '
            "name to this machine: name a folder that holds vocab.json and merges.txt."
        ) from error
    return TextTokenizer(core)


def _byte_name(byte: int) -> str:
    return f"<0x{byte:02X}>"


def _byte_letters() -> dict[str, int]:
    """The letter that GPT-2 writes for each byte: its own if it is visible."""
    seen = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1)]
    seen += range(ord("®"), ord("ÿ") + 1)
    unseen = [byte for byte in range(256) if byte not in seen]
    letters = {chr(byte): byte for byte in seen}
    return letters | {chr(256 + index): byte for index, byte in enumerate(unseen)}


BYTE_NAMES = {_byte_name(byte): byte for byte in range(256)}
BYTE_LETTERS = _byte_letters()


def _spell_bytes(token: str) -> bytes:
    """Of a byte-level token: one letter for each byte."""
    return bytes(BYTE_LETTERS[letter] for letter in token)


def _spell(token: str) -> bytes:
    """Of a character's token, or of a byte's name."""
    return bytes([BYTE_NAMES[token]]) if token in BYTE_NAMES else token.encode()
