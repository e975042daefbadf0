from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from llmlab.finetune.tasks.skills import END
from llmlab.finetune.tasks.texts import Turn
from tests.finetune.bases import change_json, opened

CPU = torch.device("cpu")
FORMS = ["skilled", "run", "qwen2", "llama"]
Folder = Callable[[str], Path]


@pytest.mark.parametrize("form", FORMS)
def test_a_tokenizer_gives_back_the_text(made: Folder, form: str) -> None:
    codec = opened(made(form)).tokenizer
    assert codec.decode(codec.encode_prompt("the cat: 1+1=")) == "the cat: 1+1="


@pytest.mark.parametrize(
    ("form", "end"),
    [("skilled", END), ("run", "<|endoftext|>"), ("qwen2", "<|im_end|>"), ("llama", "<|im_end|>")],
)
def test_an_answer_has_an_end(made: Folder, form: str, end: str) -> None:
    codec = opened(made(form)).tokenizer
    assert codec.decode([codec.end]) == end


def test_a_text_begins_as_the_tokenizer_begins_it(made: Folder, base_folder: Folder) -> None:
    folder = base_folder("llama")
    plain = opened(folder).tokenizer.encode_prompt("the cat")
    begins_with_start = {
        "type": "TemplateProcessing",
        "single": [
            {"SpecialToken": {"id": "<|im_start|>", "type_id": 0}},
            {"Sequence": {"id": "A", "type_id": 0}},
        ],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {"<|im_start|>": {"id": "<|im_start|>", "ids": [1], "tokens": ["a"]}},
    }
    change_json(folder / "tokenizer.json", post_processor=begins_with_start)
    change_json(folder / "tokenizer_config.json", bos_token="<|im_start|>")
    codec = opened(folder).tokenizer
    assert codec.encode_prompt("the cat") == [1, *plain]
    assert codec.encode([Turn("the", " cat")]).ids == [1, *plain, codec.end]
    assert codec.encode_prompt("<|im_start|>the cat") == [1, *plain]
