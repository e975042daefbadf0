from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from llmlab.finetune.command.opening import open_session
from llmlab.finetune.command.options import FinetuneOptions
from llmlab.finetune.command.session import FinetuneSession
from llmlab.finetune.model.stored_weights import StoredWeights

CPU = torch.device("cpu")
SMALL = FinetuneOptions(rank=2, steps=5, batch_size=4, test_items=20)
Open = Callable[..., FinetuneSession]


@pytest.fixture
def opened(made: Callable[[str], Path], tmp_path: Path, held: ExitStack) -> Open:
    """Opens a brief session on a tiny base, with other options if wanted."""

    def make(folder: str = "run", form: str = "skilled", **options: object) -> FinetuneSession:
        base = f"hf:{made(form)}" if form in ("qwen2", "llama") else str(made(form))
        asked = replace(SMALL, **({"rank": None} if options.get("method") == "full" else {}))
        session = held.enter_context(
            open_session(replace(asked, base=base, **options), tmp_path / folder, CPU)
        )
        return replace(session, config=replace(session.config, suite_items=10))

    return make


def test_stored_weights_are_those_of_the_model(opened: Open, sentences: str) -> None:
    for form, layer in [
        ("skilled", "blocks.0.mlp.up"),
        ("run", "blocks.1.attention.qkv"),
        ("qwen2", "inner.model.layers.1.mlp.up_proj"),
    ]:
        base = opened(form, form, data=sentences).base
        found = StoredWeights(base.folder, CPU).get_submodule(layer)
        assert torch.equal(found.weight, base.model.get_submodule(layer).weight)
