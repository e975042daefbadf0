"""Nights: each method turns a coder and the episodes of its day into another coder."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import nn

from llmlab.finetune.model.lora import LoraSpec
from llmlab.gpt.training import Batch, TrainConfig, train
from llmlab.method.errors import LabError
from llmlab.sleep.coder.coder import Coder
from llmlab.sleep.coder.lessons import Lesson, lesson_batches
from llmlab.sleep.night import share
from llmlab.sleep.night.adapters import (
    Adapter,
    Deltas,
    adapter_of,
    dare,
    deltas,
    mean_of_deltas,
    mean_of_factors,
    ties,
)
from llmlab.sleep.night.lessons import REPLAY, naive, replay, self_training, targeted
from llmlab.sleep.night.stacked import DIVERGED, Job, in_stacks, trained_together
from llmlab.sleep.repair.episodes import Episode

DENSITY = 0.2
"""Share of entries that TIES and DARE keep."""


@dataclass(frozen=True)
class Night:
    """How long and with what a night trains.

    Attributes:
        steps: of all adapters of the night together, so that methods cost the same.
        replay: share of passed episodes, for the method of that name.
        n_directions: of a shared basis.
    """

    steps: int
    learning_rate: float = 2e-3
    batch_size: int = 8
    rank: int = 8
    alpha: float = 16.0
    replay: float = REPLAY
    n_directions: int = 16
    seed: int = 0

    @property
    def spec(self) -> LoraSpec:
        return LoraSpec(self.rank, self.alpha)


Method = Callable[[Coder, Sequence[Episode], Night], Deltas]
Tasks = Mapping[str, Sequence[Lesson]]
"""The lessons of each family, in the order in which they arrive."""


def learn(
    coder: Coder, model: nn.Module, lessons: Sequence[Lesson], night: Night, steps: int
) -> None:
    """Train the parameters of `model` that require a gradient, on the edits of the lessons alone.

    Raises:
        LabError: there is no lesson, or training diverged.
    """
    config = TrainConfig(learning_rate=night.learning_rate, steps=steps)
    if train(model, _batches(coder, lessons, night), config).diverged_at is not None:
        raise LabError(DIVERGED)


def _batches(coder: Coder, lessons: Sequence[Lesson], night: Night) -> Iterator[Batch]:
    """Endless batches of the lessons, with the LabError of `learn` if there is none."""
    if not lessons:
        raise LabError(
            "the day has no episode for this method to learn from: try more koans, or another one."
        )
    return lesson_batches(lessons, coder.tokens, min(night.batch_size, len(lessons)), night.seed)


def trained_adapter(
    coder: Coder, lessons: Sequence[Lesson], night: Night, steps: int, start: int
) -> Adapter:
    """A LoRA adapter trained on lessons; `start` seeds A."""
    model = night.spec.adapt(copy.deepcopy(coder.model), start)
    learn(coder, model, lessons, night, steps)
    return adapter_of(model)


def separate(
    coder: Coder, tasks: Tasks, night: Night, *, one_start: bool = False
) -> dict[str, Adapter]:
    """The `trained_adapter` of each task, all of them trained together.

    Args:
        night: its steps are those of each adapter.
        one_start: whether all start from the same A, or each from its own.

    Raises:
        LabError: a task has no lesson, or the training of one adapter diverged.
    """
    config = TrainConfig(learning_rate=night.learning_rate, steps=night.steps)
    jobs = []
    for number, lessons in enumerate(tasks.values()):
        start = night.seed if one_start else 1000 * night.seed + number
        model = night.spec.adapt(copy.deepcopy(coder.model), start)
        jobs.append(Job(_batches(coder, lessons, night), adapter_of(model)))
    device = coder.model.head.weight.device
    trained = [
        adapter
        for some in in_stacks(jobs, night.batch_size, device)
        for adapter in trained_together(coder.model, some, night.spec, config, coder.tokens.pad)
    ]
    return dict(zip(tasks, trained, strict=True))


def family_adapters(
    coder: Coder, episodes: Sequence[Episode], night: Night, *, one_start: bool = False
) -> dict[str, Adapter]:
    """An adapter for each family that has failed episodes; the steps are divided among them.

    Args:
        one_start: whether all start from the same A.
    """
    lessons = {
        family: targeted([each for each in episodes if each.family == family], night.seed)
        for family in sorted({episode.family for episode in episodes})
    }
    chosen = {family: found for family, found in lessons.items() if found}
    if not chosen:
        raise LabError("no episode of the day failed: there is nothing to make adapters from.")
    each = replace(night, steps=max(1, night.steps // len(chosen)))
    return separate(coder, chosen, each, one_start=one_start)


def single(choose: Callable[[Sequence[Episode], int], list[Lesson]]) -> Method:
    """One adapter, trained on the lessons that `choose` takes from the day."""

    def method(coder: Coder, episodes: Sequence[Episode], night: Night) -> Deltas:
        lessons = choose(episodes, night.seed)
        return deltas(trained_adapter(coder, lessons, night, night.steps, night.seed))

    return method


def _merged(
    merge: Callable[[Sequence[Adapter], Night], Deltas], *, one_start: bool = False
) -> Method:
    """One adapter for each family, and what `merge` makes of them."""

    def method(coder: Coder, episodes: Sequence[Episode], night: Night) -> Deltas:
        adapters = family_adapters(coder, episodes, night, one_start=one_start)
        return merge(list(adapters.values()), night)

    return method


def _with_replay(coder: Coder, episodes: Sequence[Episode], night: Night) -> Deltas:
    return single(replay(night.replay))(coder, episodes, night)


def _share_coefficients(coder: Coder, episodes: Sequence[Episode], night: Night) -> Deltas:
    """Half of the steps make the adapters of the basis, half train coefficients in it."""
    half = replace(night, steps=night.steps // 2)
    adapters = list(family_adapters(coder, episodes, half).values())
    shared = share.share(adapters, night.n_directions)
    model = share.add_share(copy.deepcopy(coder.model), shared, night.rank, night.seed)
    learn(coder, model, targeted(episodes, night.seed), night, night.steps - half.steps)
    return share.learned(model)


METHODS: Mapping[str, Method] = {
    "naive": single(naive),
    "targeted": single(targeted),
    "replay": _with_replay,
    "self": single(self_training),
    "mean": _merged(lambda adapters, night: mean_of_deltas(adapters)),
    "mean-factors": _merged(lambda adapters, night: mean_of_factors(adapters)),
    "mean-factors-one-start": _merged(
        lambda adapters, night: mean_of_factors(adapters), one_start=True
    ),
    "ties": _merged(lambda adapters, night: ties(adapters, DENSITY)),
    "dare": _merged(lambda adapters, night: dare(adapters, DENSITY, night.seed)),
    "share-averaged": _merged(
        lambda adapters, night: share.averaged(share.share(adapters, night.n_directions))
    ),
    "share-coefficients": _share_coefficients,
}
"""What a night can do, by name."""
