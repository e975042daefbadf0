from collections.abc import Callable
from pathlib import Path

import torch

from llmlab.finetune.model.catalog import open_pretrained
from llmlab.finetune.observe.ordinary_text import ordinary_text, text_rows


def test_rows_are_the_beginning_of_the_text_and_all_tokens_count(
    made: Callable[[str], Path],
) -> None:
    codec = open_pretrained(str(made("llama")), device=torch.device("cpu")).tokenizer
    rows = text_rows(codec, n_rows=3, width=16)
    assert rows.tokens_NT.shape == rows.targets_NT.shape == (3, 16)
    assert torch.equal(rows.tokens_NT[:, 1:], rows.targets_NT[:, :-1])
    assert ordinary_text().startswith(codec.decode(rows.tokens_NT[0].tolist()))
