"""Orthogonal subspace fine-tuning with PEFT: a matrix's leading directions stay as they are.

Each weight is split by its singular values; the leading directions are frozen, the others train,
and their gradients are kept orthogonal to the frozen ones (2504.07097, section 3).
"""

import copy
from collections.abc import Sequence

from torch import nn

from llmlab.finetune.model.lora import target_layers
from llmlab.sleep.coder.coder import Coder
from llmlab.sleep.night.adapters import Deltas
from llmlab.sleep.night.lessons import naive
from llmlab.sleep.night.nights import Night, learn
from llmlab.sleep.repair.episodes import Episode

KEPT = 0.5
"""Share of the singular directions of a matrix that stay as they are; PEFT's own default."""


def osf(coder: Coder, episodes: Sequence[Episode], night: Night) -> Deltas:
    """What a night of OSF on all references adds to each weight; errors as `learn`."""
    model = copy.deepcopy(coder.model)
    before = {path: layer.weight.detach().clone().cpu() for path, layer in target_layers(model)}
    tuner = _wrapped(model)
    learn(coder, tuner.model, naive(episodes, night.seed), night, night.steps)
    merged = tuner.merge_and_unload()
    return {
        path: merged.get_submodule(path).weight.detach().cpu() - weight
        for path, weight in before.items()
    }


def _wrapped(model: nn.Module) -> nn.Module:
    from peft.tuners.osf import OSFConfig, OSFModel

    leaves = sorted({path.rpartition(".")[2] for path, _ in target_layers(model)})
    config = OSFConfig(target_modules=leaves, effective_rank=KEPT)
    return OSFModel(model, {"default": config}, "default")
