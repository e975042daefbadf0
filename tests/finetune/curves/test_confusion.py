"""How often runs of a known shape are called what they are: over lengths, scales and noise."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from llmlab.finetune.curves.curve import Curve
from llmlab.finetune.curves.readers import Run
from llmlab.finetune.curves.report import report

SEEDS = range(8)
FAULTS = ("divergence", "spike", "overfitting", "not finite", "zero loss", "plateau")
"""Findings that would send a reader looking for something; by their first words."""


@dataclass(frozen=True)
class Shape:
    """A run drawn by a formula.

    Attributes:
        draw: training loss, validation loss and gradient norm from the shares t of the run that are
            over; before scale and noise.
        faults: what has to be found, and no other fault.
        begins: share of the run at which it happens; the finding's step lies near.
        before: share of the runs called rightly by the rules up to commit 0d03f79.
        least: share that has to be called rightly now.
    """

    draw: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]
    faults: frozenset[str]
    begins: float | None
    before: float
    least: float


def fall(t: np.ndarray) -> np.ndarray:
    """Steep at first, slow later, never flat."""
    return 8 * (1 + 30 * t) ** -0.6


def together(loss: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return loss, 1.05 * loss, np.ones(len(loss))


def at(t: np.ndarray, first: float, last: float = 2.0) -> np.ndarray:
    return (t >= first) & (t < last)


def replaced(values: np.ndarray, where: np.ndarray, by: float) -> np.ndarray:
    return np.where(where, by, values)


def single(t: np.ndarray, *shares: float) -> np.ndarray:
    return np.isin(np.arange(len(t)), [round(share * (len(t) - 1)) for share in shares])


def collapsed(t: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    loss, validation, norm = together(fall(t))
    return replaced(loss, at(t, 0.4), 0), validation, replaced(norm, at(t, 0.4), np.nan)


def overfitted(t: np.ndarray, rise: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    validation = fall(t) + rise * np.maximum(0, t - 0.3)
    return fall(t) * (1 - 0.9 * t), validation, np.ones(len(t))


def shape(draw: Callable, *faults: str, begins: float | None = None, **shares: float) -> Shape:
    return Shape(draw, frozenset(faults), begins, **shares)


SHAPES = {
    "healthy": shape(lambda t: together(fall(t)), before=1, least=1),
    "straight": shape(lambda t: together(9 - 8 * t), before=0.75, least=1),
    "plateau": shape(
        lambda t: together(np.maximum(2, 5 - 9 * t)), "plateau", begins=1 / 3, before=0.75, least=1
    ),
    "spike": shape(
        lambda t: together(fall(t) * (1 + 2 * single(t, 0.6))),
        "spike",
        begins=0.6,
        before=1,
        least=1,
    ),
    "spikes": shape(
        lambda t: together(fall(t) * (1 + 2 * single(t, 0.3, 0.6))),
        "spike",
        begins=0.3,
        before=1,
        least=1,
    ),
    "divergence": shape(
        lambda t: together(3 + 40 * np.maximum(0, t - 0.5) ** 2 - 2 * t),
        "divergence",
        before=0,
        least=1,
    ),
    "broken": shape(
        lambda t: together(replaced(fall(t), at(t, 0.7), np.nan)),
        "divergence",
        begins=0.7,
        before=0.875,
        least=1,
    ),
    "burst": shape(
        lambda t: together(replaced(fall(t), at(t, 0.5, 0.6), np.nan)),
        "not finite",
        begins=0.5,
        before=0,
        least=0.875,
    ),
    "stray": shape(
        lambda t: together(replaced(fall(t), single(t, 0.4, 0.7), np.inf)),
        "not finite",
        begins=0.4,
        before=0,
        least=0.875,
    ),
    "norm": shape(
        lambda t: (fall(t), fall(t), replaced(np.ones(len(t)), at(t, 0.5, 0.6), np.nan)),
        "not finite",
        begins=0.5,
        before=0,
        least=1,
    ),
    "collapse": shape(collapsed, "zero loss", "not finite", begins=0.4, before=0, least=0.75),
    "overfitting": shape(lambda t: overfitted(t, 6), "overfitting", before=0, least=1),
    "overfitting beyond the start": shape(
        lambda t: overfitted(t, 20), "overfitting", before=0, least=1
    ),
}


def drawn(shape: Shape, seed: int) -> dict[str, Curve]:
    """The curves of one run: its length, scale, noise and printed digits follow from the seed."""
    draw = np.random.default_rng(seed)
    n = int(draw.choice([60, 150]))
    scale, noise = draw.choice([0.05, 1, 30]), draw.choice([0.001, 0.01, 0.03])
    digits = int(draw.choice([3, 4, 16]))
    steps = np.arange(n) * int(draw.choice([1, 10, 500]))
    training, validation, norm = shape.draw(np.linspace(0, 1, n))

    def curve(values: np.ndarray, noise: float) -> Curve:
        values = scale * values * (1 + draw.normal(0, noise, n))
        return Curve.of(zip(steps.tolist(), np.round(values, digits).tolist(), strict=True))

    return {
        "loss": curve(training, noise),
        "validation_loss": curve(validation, noise / 3),
        "gradient_norm": curve(norm, noise),
    }


def faults_of(curves: dict[str, Curve]) -> dict[str, int | None]:
    """Each fault that was found, with its first step."""
    found: dict[str, int | None] = {}
    for finding in report(Run("run", curves)).findings:
        name = next((fault for fault in FAULTS if fault in finding.what), None)
        if name:
            found.setdefault(name, finding.step)
    return found


def is_right(shape: Shape, curves: dict[str, Curve]) -> bool:
    found, steps = faults_of(curves), curves["loss"].steps
    if set(found) != shape.faults:
        return False
    if shape.begins is None:
        return True
    where = shape.begins * steps[-1]
    near = 0.08 * steps[-1]
    return all(step is not None and abs(step - where) <= near for step in found.values())


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_is_called_what_it_is_at_least_as_often_as_before(name: str) -> None:
    right = [is_right(SHAPES[name], drawn(SHAPES[name], seed)) for seed in SEEDS]
    assert np.mean(right) >= max(SHAPES[name].before, SHAPES[name].least), _confusion(name)


def _confusion(name: str) -> str:
    counts = Counter(tuple(sorted(faults_of(drawn(SHAPES[name], seed)))) for seed in SEEDS)
    return f"{name}: " + ", ".join(f"{found} {n}" for found, n in counts.most_common())
