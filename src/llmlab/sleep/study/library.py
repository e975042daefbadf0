"""Many adapters on disk: one for each family, or small ones of pieces of families."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from llmlab.sleep.coder.lessons import Lesson
from llmlab.sleep.night import share
from llmlab.sleep.night.adapters import Adapter, Factors
from llmlab.sleep.night.bases import Bases, random_bases

FAMILIES, PIECES = "families", "pieces"
RANDOM = "random"
OUT, IN = "b", "a"


def library_file(kind: str, seed: int) -> str:
    return f"{kind}-{seed}.safetensors"


def save_adapters(adapters: Mapping[str, Adapter], path: Path) -> None:
    """Write named adapters into one file; their order is kept."""
    tensors = {
        f"{number}|{name}|{layer}|{part}": tensor.contiguous()
        for number, (name, adapter) in enumerate(adapters.items())
        for layer, factors in adapter.items()
        for part, tensor in ((OUT, factors.b_OR), (IN, factors.a_RI))
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)


def load_adapters(path: Path) -> dict[str, Adapter]:
    """The adapters that `save_adapters` wrote."""
    tensors = load_file(path)
    names = sorted({_place(key) for key in tensors})
    layers = sorted({key.split("|")[2] for key in tensors})
    return {
        name: {
            layer: Factors(*(tensors[f"{number}|{name}|{layer}|{part}"] for part in (OUT, IN)))
            for layer in layers
        }
        for number, name in names
    }


def _place(key: str) -> tuple[int, str]:
    number, name, *_ = key.split("|")
    return int(number), name


def pieces(families: Mapping[str, Sequence[Lesson]], count: int) -> dict[str, Sequence[Lesson]]:
    """The lessons of each family divided among several adapters, `count` in all."""
    each, more = divmod(count, len(families))
    dealt = {}
    for number, (family, lessons) in enumerate(families.items()):
        hands = each + (number < more)
        dealt |= {f"{family} {hand}": lessons[hand::hands] for hand in range(hands)}
    return dealt


def basis_of(adapters: Sequence[Adapter], which: str, n_directions: int, seed: int) -> Bases:
    """The leading directions of `which` adapters, drawn by seed; or random ones."""
    if which == RANDOM:
        return random_bases(adapters[0], n_directions, seed)
    drawn = random.Random(seed).sample(list(adapters), len(adapters))
    return share.share(drawn[: int(which)], n_directions).bases


def captured(adapter: Adapter, bases: Bases) -> float:
    """The share of an adapter's squared ΔW that its projections on both sides keep."""
    kept = whole = torch.zeros(())
    for path, basis in bases.items():
        delta_OI = adapter[path].delta_OI
        kept = kept + (basis.out_OK.T @ delta_OI @ basis.in_IK).square().sum()
        whole = whole + delta_OI.square().sum()
    return float(kept / whole)
