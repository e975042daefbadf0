import json
from pathlib import Path

import pytest
from transformers import AutoTokenizer, ByT5Tokenizer

from llmlab.finetune.model.codecs import HubCodec, RunCodec, SkillCodec
from llmlab.finetune.model.spelling import tokenizer_digest
from llmlab.gpt.text.text_tokenizers import train_bpe
from tests.finetune.tokenizers import TOKENIZERS


def digest_in(folder: Path) -> str | None:
    return tokenizer_digest(HubCodec(AutoTokenizer.from_pretrained(folder)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a tokenizer like Llama 3's."""
    TOKENIZERS["llama3"]().save_pretrained(tmp_path)
    return tmp_path


def change(folder: Path, **changes: object) -> None:
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("name", TOKENIZERS)
def test_saving_a_tokenizer_again_keeps_its_digest(tmp_path: Path, name: str) -> None:
    tokenizer = TOKENIZERS[name]()
    tokenizer.save_pretrained(tmp_path / "once")
    AutoTokenizer.from_pretrained(tmp_path / "once").save_pretrained(tmp_path / "twice")
    assert digest_in(tmp_path / "twice") == tokenizer_digest(HubCodec(tokenizer))


def test_other_line_ends_keep_the_digest(folder: Path) -> None:
    before = digest_in(folder)
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert digest_in(folder) == before


def test_another_chat_template_keeps_the_digest(folder: Path) -> None:
    before = digest_in(folder)
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    assert digest_in(folder) == before


def test_permuted_ids_change_the_digest(folder: Path) -> None:
    before = digest_in(folder)
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    a, b = "a", "b"
    swapped = model["vocab"] | {a: model["vocab"][b], b: model["vocab"][a]}
    change(folder, model=model | {"vocab": swapped})
    assert digest_in(folder) != before


def test_merges_in_another_order_change_the_digest(folder: Path) -> None:
    before = digest_in(folder)
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    change(folder, model=model | {"merges": model["merges"][::-1]})
    assert digest_in(folder) != before


def test_text_in_lower_case_changes_the_digest(folder: Path) -> None:
    before = digest_in(folder)
    change(folder, normalizer={"type": "Lowercase"})
    assert digest_in(folder) != before


def test_a_text_that_begins_without_its_token_changes_the_digest(folder: Path) -> None:
    before = digest_in(folder)
    change(folder, post_processor=None)
    assert digest_in(folder) != before


def test_every_kind_of_tokenizer_has_a_digest_but_that_of_the_program() -> None:
    assert tokenizer_digest(HubCodec(ByT5Tokenizer()))
    assert tokenizer_digest(RunCodec(train_bpe(["hello"], 260)))
    assert tokenizer_digest(SkillCodec()) is None
