import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from llmlab.gpt.command.session import PretrainingSession
from llmlab.gpt.configs import preset
from llmlab.gpt.study.stacked import (
    StackedTrainer,
    can_stack,
    memory_per_run,
    run_studies,
    run_together,
)
from llmlab.gpt.study.trials import StudiedRun, Study
from llmlab.method.declare.experiment import Outcome, Trial

MakeStudy = Callable[..., Study]


@pytest.fixture
def study(session: PretrainingSession) -> MakeStudy:
    """Makes a study of the tiny run, with changes to its training."""

    def make(seed: int = 0, **changes: object) -> Study:
        train = replace(session.recipe.train, **changes)
        shape = replace(session.recipe.shape, dropout=0.0)
        recipe = replace(session.recipe, shape=shape, seed=seed, train=train)
        return Study(recipe, session.encoded)

    return make


def assert_alike(together: Outcome, alone: Outcome) -> None:
    """Equal within what sums in another order give."""
    assert together.status == alone.status
    assert together.tokens == alone.tokens
    assert together.metrics == pytest.approx(alone.metrics, rel=1e-4, nan_ok=True)
    assert together.curves.keys() == alone.curves.keys()
    for name, points in together.curves.items():
        assert [step for step, _ in points] == [step for step, _ in alone.curves[name]]
        values, expected = ([value for _, value in each] for each in (points, alone.curves[name]))
        assert values == pytest.approx(expected, rel=1e-3), name


def test_stacked_runs_give_what_single_runs_give(study: MakeStudy) -> None:
    studies = [
        study(),
        study(seed=1, learning_rate=3e-2),
        study(seed=2, weight_decay=0.3, clip=0.1),
        study(seed=3, betas=(0.8, 0.999), warmup_share=0.5, final_share=1.0),
        study(clip=math.inf),
    ]
    for together, each in zip(run_studies(studies), studies, strict=True):
        assert_alike(together, each.run())


def test_a_run_that_diverges_disturbs_no_other(study: MakeStudy) -> None:
    studies = [study(seed=1), study(learning_rate=1e30), study(seed=2)]
    first, diverged, last = run_studies(studies)
    assert diverged.status == "diverged"
    assert diverged.tokens < first.tokens
    assert_alike(first, studies[0].run())
    assert_alike(last, studies[2].run())


def test_dropout_shape_and_batch_keep_runs_apart(study: MakeStudy) -> None:
    one = study()
    dropped = replace(one, recipe=replace(one.recipe, shape=replace(one.recipe.shape, dropout=0.1)))
    larger = replace(one, recipe=replace(one.recipe, batch_size=8))
    assert can_stack(one, study(seed=5, learning_rate=1.0))
    assert not can_stack(dropped, dropped)
    assert not can_stack(one, larger)
    assert not can_stack(one, study(accumulate=2))


def test_every_trial_is_run_once_in_the_order_of_its_group(study: MakeStudy) -> None:
    studies = {0: study(), 1: study(accumulate=2), 2: study(seed=2)}

    class Described:
        @staticmethod
        def describe(trial: Trial) -> Study:
            return studies[trial.seed]

    trials = [Trial("toy", "smoke", {}, seed, {}, {}, None) for seed in studies]
    groups = list(run_together(Described(), trials))
    assert [[trial.seed for trial in group] for group, _ in groups] == [[0, 2], [1]]
    (_, run), _ = groups
    assert_alike(run()[1], studies[2].run())


def test_a_model_cannot_run_ahead_of_its_stack(study: MakeStudy) -> None:
    runs = [StudiedRun(study()), StudiedRun(study(seed=1))]
    stack = StackedTrainer(
        [run.pretraining.trainer for run in runs], [run.pretraining.stream() for run in runs]
    )
    first = stack.points(0)
    next(first)
    with pytest.raises(RuntimeError, match="a step ahead"):
        next(first)


def test_memory_grows_with_the_model_and_the_batch() -> None:
    small, large = preset("micro").shape, preset("nano").shape
    assert memory_per_run(small, 8) < memory_per_run(large, 8) < memory_per_run(large, 16)
