from pathlib import Path

import pytest

from llmlab.experiments.training_dynamics import (
    EXPERIMENT,
    SHARES,
    describe,
    describe_reference,
    run,
)
from llmlab.method.declare.experiment import Outcome, Trial

BRIEF = {"train_items": 60, "examples": 32, "landscape_items": 10, "curvature_items": 4}


def trial(base: Path, seed: int = 0, **condition: object) -> Trial:
    settings = {**EXPERIMENT.budgets["smoke"].settings, **BRIEF, "noise_examples": 32}
    full = {"method": "full", "batch_size": 8, "learning_rate": 1e-3}
    needs = {"base_model": base}
    return Trial(EXPERIMENT.name, "smoke", full | condition, seed, settings, needs, base)


@pytest.fixture
def full(untrained_base: Path) -> Outcome:
    return run(trial(untrained_base))


def test_a_run_fills_every_column_and_shows_where_it_ended(full: Outcome) -> None:
    assert set(full.metrics) == {metric.name for metric in EXPERIMENT.metrics}
    assert set(full.curves) == {curve.name for curve in EXPERIMENT.curves}
    assert {view["kind"] for view in full.views.values()} == {"plane", "path", "second_moment"}


def test_the_path_begins_where_the_run_ended(full: Outcome) -> None:
    losses = full.views["path"]["loss"]
    n_points = len(full.views["plane"]["distances"])
    assert losses[0] == full.views["plane"]["loss"][n_points // 2][n_points // 2]
    assert len(losses) == len(SHARES)


def test_lora_is_seen_in_the_coordinates_of_the_plain_model(untrained_base: Path) -> None:
    outcome = run(trial(untrained_base, method="lora"))
    assert outcome.views["plane"]["loss"][1][1] == outcome.views["path"]["loss"][0]


@pytest.mark.parametrize("other", [{"seed": 1}, {"batch_size": 16}])
def test_only_the_first_seed_at_one_batch_size_shows_a_plane(
    untrained_base: Path, other: dict[str, int]
) -> None:
    assert set(run(trial(untrained_base, **other)).views) == {"path"}


def test_every_batch_size_sees_as_many_examples(untrained_base: Path) -> None:
    described = [describe(trial(untrained_base, batch_size=size)) for size in (8, 16, 32)]
    assert {tuning.batch_size * tuning.config.steps for tuning in described} == {32}


def test_the_reference_is_a_full_run_on_other_batches(untrained_base: Path) -> None:
    reference = describe_reference(trial(untrained_base, method="lora", seed=3))
    assert reference.method == describe(trial(untrained_base, method="full")).method
    assert reference.seed != 3
