import json
from pathlib import Path

import huggingface_hub.constants
import pytest
from fuzzing import assert_survives, mutated_bytes, mutated_json, overwrite
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from llmlab.gpt.text.text_tokenizers import (
    END_OF_TEXT,
    TextTokenizer,
    characters,
    gpt2_tokenizer,
    load_tokenizer,
    train_bpe,
)
from llmlab.method.errors import LabError

TEXTS = ["the cat sat on the mat\n", "and then the hat sat on the cat: naïve 猫\n"]


@pytest.fixture(scope="module")
def gpt2_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as GPT-2's: vocab.json and merges.txt, the end of text last."""
    folder = tmp_path_factory.mktemp("gpt2")
    core = train_bpe(TEXTS, 300).core
    core.model.save(str(folder))
    vocabulary = [core.id_to_token(index) for index in range(1, core.get_vocab_size())] + [
        END_OF_TEXT
    ]
    ids = {token: index for index, token in enumerate(vocabulary)}
    (folder / "vocab.json").write_text(json.dumps(ids))
    return folder


@pytest.fixture(scope="module", params=["bpe", "characters", "gpt2"])
def tokenizer(request: pytest.FixtureRequest, gpt2_folder: Path) -> TextTokenizer:
    makers = {
        "bpe": lambda: train_bpe(TEXTS, 300),
        "characters": lambda: characters(TEXTS),
        "gpt2": lambda: gpt2_tokenizer(gpt2_folder),
    }
    return makers[request.param]()


@given(text=st.text() | st.lists(st.sampled_from([*TEXTS, END_OF_TEXT, "<0x41>"])).map("".join))
def test_decoding_undoes_encoding(tokenizer: TextTokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert b"".join(map(tokenizer.token_bytes, ids)) == text.encode()
    assert tokenizer.byte_lengths[ids].sum() == len(text.encode())


def test_ids_fill_the_vocabulary(tokenizer: TextTokenizer) -> None:
    assert sorted(tokenizer.core.get_vocab().values()) == list(range(tokenizer.vocab_size))
    assert len(tokenizer.byte_lengths) == tokenizer.vocab_size


def test_text_never_ends_the_text(tokenizer: TextTokenizer) -> None:
    assert tokenizer.end_of_text not in tokenizer.encode(f"a{END_OF_TEXT}b")
    assert tokenizer.decode([tokenizer.end_of_text]) == END_OF_TEXT
    assert tokenizer.token_text(tokenizer.end_of_text) == END_OF_TEXT
    assert tokenizer.byte_lengths[tokenizer.end_of_text] == 0


def test_a_saved_tokenizer_is_the_same(tokenizer: TextTokenizer, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    tokenizer.save(path)
    loaded = load_tokenizer(path)
    assert loaded.digest == tokenizer.digest
    text = f"the naïve 猫 sat{END_OF_TEXT} 🙂"
    assert loaded.encode(text) == tokenizer.encode(text)


def test_a_saved_tokenizer_serves_as_a_folder_of_gpt2(tmp_path: Path) -> None:
    made = train_bpe(TEXTS, 280)
    made.save(tmp_path / "tokenizer.json")
    assert gpt2_tokenizer(tmp_path).digest == made.digest


def test_many_texts_encode_as_each_does(tokenizer: TextTokenizer) -> None:
    assert tokenizer.encode_many(TEXTS) == [tokenizer.encode(text) for text in TEXTS]


def test_bpe_merges_what_is_frequent_and_keeps_to_its_size() -> None:
    tokenizer = train_bpe(TEXTS, 300)
    assert train_bpe(TEXTS, 260).vocab_size == 260
    assert [tokenizer.token_text(index) for index in tokenizer.encode(" the cat")] == [
        " the",
        " cat",
    ]


def test_bpe_of_a_short_text_has_fewer_ids() -> None:
    assert train_bpe(["ab ab"], 5000).vocab_size == 258


def test_the_same_texts_give_the_same_tokenizer() -> None:
    assert train_bpe(TEXTS, 290).digest == train_bpe(iter(TEXTS), 290).digest
    assert train_bpe(TEXTS, 290).digest != train_bpe(TEXTS, 260).digest


def test_each_seen_character_has_one_id_and_each_unseen_one_its_bytes() -> None:
    tokenizer = characters(["ab", "bé"])
    assert tokenizer.encode("abé") == [0, 1, 2]
    assert [tokenizer.token_text(index) for index in tokenizer.encode("aö")] == [
        "a",
        "<0xC3>",
        "<0xB6>",
    ]
    assert tokenizer.vocab_size == 3 + 256 + 1


def test_a_part_of_a_character_is_shown_as_bytes(gpt2_folder: Path) -> None:
    tokenizer = gpt2_tokenizer(gpt2_folder)
    shown = "".join(tokenizer.token_text(index) for index in tokenizer.encode("🙂"))
    assert shown == "<0xF0><0x9F><0x99><0x82>"


def test_too_small_a_vocabulary_is_refused() -> None:
    with pytest.raises(LabError, match=r"a vocabulary of 256 ids is too small.*257 or more"):
        train_bpe(TEXTS, 256)


def test_half_a_character_is_refused() -> None:
    with pytest.raises(LabError, match="not UTF-8"):
        characters(TEXTS).encode("a\ud800")


def test_a_tokenizer_that_changes_text_is_refused() -> None:
    core = Tokenizer(models.BPE())
    core.normalizer = normalizers.Lowercase()
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    with pytest.raises(LabError, match="changes text"):
        TextTokenizer(core)


def test_a_folder_without_the_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"holds no vocab\.json"):
        gpt2_tokenizer(tmp_path)


def test_files_that_are_no_bpe_are_refused(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text("{}")
    (tmp_path / "merges.txt").write_text("a b\n")
    with pytest.raises(LabError, match="holds no BPE"):
        gpt2_tokenizer(tmp_path)


def test_a_name_that_the_hub_does_not_give_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(LabError, match=r'no folder "nobody/nothing".*name a folder'):
        gpt2_tokenizer("nobody/nothing")


def test_a_missing_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"no tokenizer at .*absent\.json"):
        load_tokenizer(tmp_path / "absent.json")


def test_a_truncated_tokenizer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    characters(TEXTS).save(path)
    path.write_text(path.read_text()[:100])
    with pytest.raises(LabError, match=r"tokenizer\.json is not a tokenizer"):
        load_tokenizer(path)


def test_fuzz_a_tokenizer_is_loaded_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    train_bpe(["def f(x):\n    return x + 1\n"] * 3, 270).save(path)
    valid = json.loads(path.read_text())

    def read(content: bytes) -> None:
        overwrite(path, content)
        load_tokenizer(path).encode("return y")

    assert assert_survives(read, lambda draw: mutated_json(valid, draw)) > 0
    assert_survives(read, lambda draw: mutated_bytes(json.dumps(valid).encode(), draw))
