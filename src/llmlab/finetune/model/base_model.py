"""The base model: a small GPT that knows the four skills, and its files on disk."""

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from llmlab.finetune.tasks.skills import TOKENIZER
from llmlab.gpt.model import GPT, GPTConfig

WEIGHTS = "base.safetensors"
CONFIG = "base.json"


def new_base_model(d_model: int, n_layers: int, n_heads: int, context: int, seed: int) -> GPT:
    """An untrained base model; `seed` fixes its weights."""
    torch.manual_seed(seed)
    return GPT(GPTConfig(TOKENIZER.vocab_size, context, d_model, n_layers, n_heads))


def save_base_model(model: GPT, folder: Path) -> None:
    """Write weights and configuration into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    del weights["head.weight"]  # the same tensor as token_embedding.weight
    save_file(weights, folder / WEIGHTS)
    (folder / CONFIG).write_text(json.dumps(asdict(model.config), indent=2) + "\n")


def load_base_model(folder: Path, device: torch.device) -> GPT:
    """The base model that `save_base_model` left in `folder`."""
    model = GPT(GPTConfig(**json.loads((folder / CONFIG).read_text())))
    weights = load_file(folder / WEIGHTS)
    weights["head.weight"] = weights["token_embedding.weight"]
    model.load_state_dict(weights)
    return model.to(device)
