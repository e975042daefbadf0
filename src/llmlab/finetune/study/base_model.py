"""Teach an untrained model the four skills."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from llmlab.finetune.tasks.batches import encode, mixture
from llmlab.finetune.tasks.skills import SKILLS
from llmlab.finetune.tasks.suites import suite_accuracies
from llmlab.gpt.model import GPT
from llmlab.gpt.training import History, Point, TrainConfig, Trainer, best_device

WIDTH = 20
"""Tokens of the longest item of any skill."""


@dataclass(frozen=True)
class Learned:
    """Training history, and for each skill its (step, accuracy) along the way."""

    history: History
    accuracies: Mapping[str, list[tuple[int, float]]]


def learn_skills(
    model: GPT, shares: Mapping[str, int], config: TrainConfig, seed: int, *, grade_every: int
) -> Learned:
    """Train `model` in place on all skills together.

    Args:
        shares: for each skill the number of its items in a batch.
        seed: fixes the order of the items.
        grade_every: steps between two gradings on 100 test items of each skill.
    """
    device = best_device()
    parts = [(encode(SKILLS[name]().train, WIDTH).to(device), n) for name, n in shares.items()]
    accuracies: dict[str, list[tuple[int, float]]] = {name: [] for name in shares}

    def graded(points: Iterable[Point]) -> Iterator[Point]:
        for point in points:
            if point.step % grade_every == 0 or point.step == config.steps - 1:
                for name, accuracy in suite_accuracies(model, 100, device).items():
                    accuracies[name].append((point.step, accuracy))
            yield point

    stream = graded(Trainer(model, config).points(mixture(parts, seed)))
    return Learned(History.of(stream, config), accuracies)
