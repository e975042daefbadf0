"""LoRA adapters on our GPT, made by `peft` (Hu et al. 2021, arXiv 2106.09685).

A frozen linear layer h = W₀x gets a trained detour h = W₀x + s·B·A·x with A of shape [r, d_in] and
B of shape [d_out, r]. B starts at zero, so training starts at the base model.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from peft import LoraConfig, PeftModel, get_peft_model

from llmlab.gpt.model import GPT

Scaling = Literal["alpha/r", "rslora"]
ALL_LINEAR = ("qkv", "out", "up", "down")


@dataclass(frozen=True)
class LoraSpec:
    """Which adapter.

    Attributes:
        rank: r, the inner width of the detour.
        alpha: numerator of the scaling s.
        scaling: "alpha/r" is s = α/r; "rslora" is s = α/√r (Kalajdzievski 2023, arXiv 2312.03732).
        target_modules: names of the linear layers that get a detour.
    """

    rank: int
    alpha: float
    scaling: Scaling = "alpha/r"
    target_modules: tuple[str, ...] = ALL_LINEAR


def add_lora(model: GPT, spec: LoraSpec, seed: int) -> PeftModel:
    """`model` frozen, with a fresh adapter; `seed` fixes the start of A."""
    torch.manual_seed(seed)
    config = LoraConfig(
        r=spec.rank,
        lora_alpha=spec.alpha,
        use_rslora=spec.scaling == "rslora",
        target_modules=list(spec.target_modules),
    )
    return get_peft_model(model, config)
