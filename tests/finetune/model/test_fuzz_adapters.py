"""Damaged files of adapters: loaded, or refused in a sentence."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from fuzzing import assert_survives, mutated_bytes, mutated_json, overwrite

from llmlab.finetune.model.adapters import (
    adapter_origin,
    load_adapter,
    lora_layers,
    save_adapter,
)
from llmlab.finetune.model.catalog import open_pretrained
from llmlab.finetune.model.lora import LoraSpec, add_lora
from llmlab.finetune.model.pretrained import Pretrained
from llmlab.finetune.model.replacing import replace_module

SPEC = LoraSpec(rank=4, alpha=8)


@pytest.fixture
def base(made: Callable[[str], Path]) -> Pretrained:
    return open_pretrained(str(made("skilled")), device=torch.device("cpu"))


@pytest.fixture
def adapter(base: Pretrained, tmp_path: Path) -> Path:
    """The folder of an adapter; `base` is left as it was."""
    save_adapter(add_lora(base.model, SPEC, seed=0), SPEC, base, tmp_path / "adapter")
    restore(base)
    return tmp_path / "adapter"


def restore(base: Pretrained) -> None:
    for path, layer in list(lora_layers(base.model)):
        replace_module(base.model, path, layer.base)


@pytest.mark.parametrize("name", ["adapter_config.json", "llmlab.json"])
def test_fuzz_json_of_an_adapter(base: Pretrained, adapter: Path, name: str) -> None:
    document = json.loads((adapter / name).read_text())
    if name == "adapter_config.json":
        (adapter / "llmlab.json").unlink()  # nothing vouches for what is changed

    def load(content: bytes) -> None:
        overwrite(adapter / name, content)
        load_adapter(adapter, base)
        restore(base)

    def ask(content: bytes) -> None:
        overwrite(adapter / name, content)
        adapter_origin(adapter)

    whole = json.dumps(document).encode()
    assert assert_survives(load, lambda draw: mutated_json(document, draw)) > 0
    assert_survives(ask, lambda draw: mutated_bytes(whole, draw))


def test_fuzz_weights_of_an_adapter(base: Pretrained, adapter: Path) -> None:
    (adapter / "llmlab.json").unlink()
    path = adapter / "adapter_model.safetensors"
    content = path.read_bytes()
    header = 8 + int.from_bytes(content[:8], "little")

    def read(changed: bytes) -> None:
        overwrite(path, changed)
        load_adapter(adapter, base)
        restore(base)

    assert_survives(read, lambda draw: mutated_bytes(content[:header], draw) + content[header:])
