"""Our models as GGUF files, which llama.cpp and Ollama load, with a Modelfile beside each.

llama.cpp computes GPT-2 as `gpt2`. With rotary positions in place of learned ones, the same blocks
are its `gptneox`, told to compute attention and MLP one after the other.

The small coder reads tokens, not text. In its file, each token is its name followed by `MARK`, so
that a text splits into tokens in one way only. A program's own names are numbered, as in the coder.
"""

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tokenizers import decoders

from llmlab.gpt.model import GPT
from llmlab.gpt.text.text_tokenizers import TextTokenizer
from llmlab.method.errors import LabError
from llmlab.method.files import write_file, write_with
from llmlab.sleep.coder.coder import LONGEST_ANSWER, Coder
from llmlab.sleep.coder.rotary import BASE, RotaryGPT
from llmlab.sleep.coder.tokens import CodeTokens
from llmlab.sleep.koans.generated import GRAMMARS, split_templates
from llmlab.sleep.koans.grammar import draft
from llmlab.sleep.koans.koan import Language
from llmlab.sleep.koans.verdict import Verdict
from llmlab.sleep.repair.edits import difference
from llmlab.sleep.repair.task import Task

if TYPE_CHECKING:
    from gguf import GGUFWriter

MODEL, MODELFILE, PROMPT = "model.gguf", "Modelfile", "prompt.txt"
MARK = "¦"
"""Ends each token of a coder in a text."""
MODULES = {
    "token_embedding": "token_embd",
    "position_embedding": "position_embd",
    "norm": "output_norm",
    "head": "output",
}
BLOCK_MODULES = {
    "attention_norm": "attn_norm",
    "attention.qkv": "attn_qkv",
    "attention.out": "attn_output",
    "mlp_norm": "ffn_norm",
    "mlp.up": "ffn_up",
    "mlp.down": "ffn_down",
}
GPT2_SPLIT = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
"""How GPT-2's tokenizer splits words, as `tokenizers` writes it."""


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer in the form of GGUF.

    Attributes:
        kind: "gpt2" merges pairs of pieces; "rwkv" takes the longest token that fits, from left to
            right.
        tokens: by id; "gpt2" spells bytes in its own letters, "rwkv" in Python's escapes.
        end: id of the token that ends a text.
        merges: pairs of pieces in the order of merging; only for "gpt2".
    """

    kind: str
    tokens: Sequence[str]
    end: int
    merges: Sequence[str] = ()


def export_coder(coder: Coder, folder: Path) -> None:
    """Write the coder into `folder`, with a first question in its tokens.

    Raises:
        LabError: a token holds `MARK`, the folder cannot be written to, or `gguf` is missing.
    """
    vocabulary = coder_vocabulary(coder.tokens)
    _export(coder.model, vocabulary, folder, LONGEST_ANSWER[coder.language])
    question = coder.tokens.prompt(example_task(coder.language))
    write_file(folder / PROMPT, marked(coder.tokens, question))


def export_gpt(model: GPT, tokenizer: TextTokenizer, folder: Path) -> None:
    """Write a GPT of `llmlab train` into `folder`.

    Raises:
        LabError: GGUF has no form for the tokenizer, the folder cannot be written to, or `gguf` is
            missing.
    """
    _export(model, text_vocabulary(tokenizer), folder, model.config.context // 2)


def coder_vocabulary(tokens: CodeTokens) -> Vocabulary:
    """Each name followed by `MARK`; errors as in `export_coder`."""
    if odd := [name for name in tokens.names if MARK in name]:
        raise LabError(
            f"the coder's token '{odd[0]}' holds {MARK}, which separates tokens in a GGUF file: "
            "export a coder without such a token."
        )
    spelled = [_escaped(marked(tokens, [index]).encode()) for index in range(len(tokens.names))]
    return Vocabulary("rwkv", spelled, tokens.end)


def marked(tokens: CodeTokens, ids: Iterable[int]) -> str:
    """The text of these ids in the GGUF file."""
    return "".join(tokens.names[index] + MARK for index in ids)


def example_task(language: Language) -> Task:
    """A question about a program of the grammar."""
    found = draft(split_templates(language)["test"][0], GRAMMARS[language], random.Random(0))
    line = min(difference(found.start, found.solution).lines)
    return Task(language, found.start, Verdict("test", found.template.error, line))


def text_vocabulary(tokenizer: TextTokenizer) -> Vocabulary:
    """Byte-level BPE as in GPT-2, or one token per character; errors as in `export_gpt`."""
    core, end = tokenizer.core, tokenizer.end_of_text
    content = json.loads(core.to_str())
    split, merges = content["pre_tokenizer"], content["model"].get("merges")
    if split and split.items() >= GPT2_SPLIT.items() and merges:
        tokens = [core.id_to_token(index) for index in range(tokenizer.vocab_size)]
        return Vocabulary("gpt2", tokens, end, [" ".join(pair) for pair in merges])
    if isinstance(core.decoder, decoders.Sequence) and not split and not merges:
        return Vocabulary("rwkv", list(_spelled(tokenizer)), end)
    raise LabError(
        "GGUF has no form for this tokenizer, which splits text by its own rules: export a model "
        "with GPT-2's tokenizer, or with one that `llmlab train` made."
    )


def _spelled(tokenizer: TextTokenizer) -> Iterator[str]:
    """The spelling of each id.

    A byte's id that spells the same as a character's is never chosen; it gets one that no text has.
    """
    seen: set[bytes] = set()
    for index in range(tokenizer.vocab_size):
        spelled = tokenizer.token_bytes(index)
        yield _escaped(b"\xff" + spelled if spelled in seen else spelled)
        seen.add(spelled)


def _escaped(spelled: bytes) -> str:
    """Bytes as llama.cpp reads them from the token list of an "rwkv" vocabulary."""
    return spelled.decode("latin-1").encode("unicode_escape").decode("ascii")


def _export(model: GPT, vocabulary: Vocabulary, folder: Path, longest_answer: int) -> None:
    write_with(folder / MODEL, lambda path: _write_gguf(model, vocabulary, path))
    write_file(folder / MODELFILE, modelfile(model.config.context, longest_answer))


def modelfile(context: int, longest_answer: int) -> str:
    """What `ollama create` reads: the prompt goes in as it is, decoding is greedy.

    Args:
        context, longest_answer: in tokens.
    """
    return (
        f"FROM ./{MODEL}\n"
        'TEMPLATE "{{ .Prompt }}"\n'
        "PARAMETER temperature 0\n"
        "PARAMETER repeat_penalty 1\n"
        f"PARAMETER num_ctx {context}\n"
        f"PARAMETER num_predict {longest_answer}\n"
    )


def _write_gguf(model: GPT, vocabulary: Vocabulary, path: Path) -> None:
    try:
        from gguf import GGUFWriter
    except ImportError:
        raise LabError(
            "GGUF files need the package gguf, which is not installed: install it with "
            'pip install "llmlab[export]".'
        ) from None
    writer = GGUFWriter(path, "gptneox" if isinstance(model, RotaryGPT) else "gpt2")
    _add_shape(writer, model)
    _add_vocabulary(writer, vocabulary)
    for name, tensor in model.state_dict().items():
        writer.add_tensor(_their_name(name), tensor.float().cpu().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_shape(writer: "GGUFWriter", model: GPT) -> None:
    shape = model.config
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.d_model)
    writer.add_feed_forward_length(4 * shape.d_model)
    writer.add_block_count(shape.n_layers)
    writer.add_head_count(shape.n_heads)
    writer.add_layer_norm_eps(model.norm.eps)
    if isinstance(model, RotaryGPT):
        writer.add_parallel_residual(False)
        writer.add_rope_dimension_count(shape.head_width)
        writer.add_rope_freq_base(BASE)


def _add_vocabulary(writer: "GGUFWriter", vocabulary: Vocabulary) -> None:
    from gguf import TokenType

    types = [TokenType.NORMAL] * len(vocabulary.tokens)
    types[vocabulary.end] = TokenType.CONTROL
    writer.add_tokenizer_model(vocabulary.kind)
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(types)
    writer.add_token_merges(vocabulary.merges)
    writer.add_bos_token_id(vocabulary.end)
    writer.add_eos_token_id(vocabulary.end)
    writer.add_add_bos_token(False)


def _their_name(name: str) -> str:
    """GGUF's name of our weight: blocks.0.mlp.up.bias is blk.0.ffn_up.bias."""
    module, _, kind = name.rpartition(".")
    if not module.startswith("blocks."):
        return f"{MODULES[module]}.{kind}"
    _, number, within = module.split(".", 2)
    return f"blk.{number}.{BLOCK_MODULES[within]}.{kind}"
