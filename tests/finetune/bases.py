"""The tiny bases of every form, opened and with an adapter."""

import json
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from llmlab.finetune.model.adapters import lora_layers
from llmlab.finetune.model.catalog import open_pretrained
from llmlab.finetune.model.lora import LoraSpec, add_lora
from llmlab.finetune.model.pretrained import Pretrained
from llmlab.finetune.model.qlora import FourBit

SPEC = LoraSpec(rank=4, alpha=8)
HUB_FORMS = ["qwen2", "llama"]
FORMS = ["skilled", "run", *HUB_FORMS]
Folder = Callable[[str], Path]
TOKENS_BT = torch.arange(3, 13).view(2, 5)
"""Tokens that every form has."""


def opened(folder: Path, four_bit: FourBit | None = None) -> Pretrained:
    """The base in a folder that is named after its form."""
    prefix = "hf:" if folder.name in HUB_FORMS else ""
    return open_pretrained(f"{prefix}{folder}", four_bit=four_bit, device=torch.device("cpu"))


def adapted(base: Pretrained, spec: LoraSpec = SPEC) -> nn.Module:
    """The base's model with an adapter that changes what it computes."""
    model = add_lora(base.model, spec, seed=0)
    for _, layer in lora_layers(model):
        nn.init.normal_(layer.b_RO, std=0.3)
    return model.eval()


@torch.no_grad()
def logits(model: nn.Module) -> torch.Tensor:
    """What a model, ours or of `transformers`, makes of `TOKENS_BT`."""
    found = model.eval()(TOKENS_BT)
    return found if isinstance(found, torch.Tensor) else found.logits


def change_json(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
