"""A reading says the same as the table that it was read from."""

from dataclasses import replace

import numpy as np
import pytest

from llmlab.book.evidence import readings
from llmlab.method.declare.experiment import Metric
from llmlab.method.errors import LabError
from llmlab.method.evidence.lookup import best_evidence


@pytest.fixture
def evidence(recorded_book):
    return best_evidence(recorded_book, "dose")


def test_the_mean_is_that_of_the_runs(evidence):
    reading = readings.read(evidence, "score", {"dose": 0.1, "rule": "a"})
    runs = evidence.runs
    scores = runs[(runs["dose"] == 0.1) & (runs["rule"] == "a")]["score"]
    assert reading.mean == pytest.approx(scores.mean())
    assert reading.low < reading.mean < reading.high
    assert reading.n == len(scores) == 10


def test_the_lines_are_those_of_the_file(evidence):
    reading = readings.read(evidence, "score", {"dose": 0.1, "rule": "a"})
    lines = (evidence.folder / "runs.csv").read_text().splitlines()
    chosen = [lines[number - 1] for number in reading.lines]
    assert chosen == [line for line in lines if line.startswith("dose=0.1/rule=a/")]
    assert len(chosen) == 10


def test_cells_are_ordered_by_the_axes_that_were_asked_for(evidence):
    cells = readings.read_cells(evidence, "score", ["rule", "dose"], {})
    conditions = [(cell.condition["rule"], cell.condition["dose"]) for cell in cells]
    assert conditions == [(rule, dose) for rule in "ab" for dose in (0.01, 0.1, 1.0, 10.0)]


def test_a_tuned_axis_is_chosen_by_the_selection_metric(evidence):
    reading = readings.read(evidence, "score", {"rule": "a"}, tuned=["dose"])
    losses = evidence.runs[evidence.runs["rule"] == "a"].groupby("dose")["loss"].mean()
    assert reading.condition == {"dose": losses.idxmin(), "rule": "a"}


def test_a_diverged_run_counts_as_the_worst_completed_value(evidence):
    reading = readings.read(evidence, "score", {"dose": 10.0, "rule": "b"})
    assert reading.diverged == 1
    assert reading.by_seed[0] == evidence.runs["score"].min()


def test_the_best_and_what_ties_with_it_are_marked(evidence):
    cells = list(readings.read_cells(evidence, "score", ["dose"], {"rule": "a"}))
    marked = {cell.condition["dose"]: cell for cell in readings.compare_with_best(cells)}
    assert [dose for dose, cell in marked.items() if cell.best] == [1.0]
    assert not any(cell.ties for cell in marked.values())
    best = marked[1.0]
    noisy = {seed: score + 0.001 * (-1) ** seed for seed, score in best.by_seed.items()}
    twin = replace(best, by_seed=noisy, mean=best.mean - 1e-9)
    assert [cell.ties for cell in readings.compare_with_best([*cells, twin])] == [
        *(False for _ in cells),
        True,
    ]


@pytest.mark.parametrize(("gap", "ties"), [(1.0, False), (0.0, True)])
def test_what_differs_alike_in_all_seeds_is_distinguished_by_its_sign(evidence, gap, ties):
    """A t test knows nothing of differences without spread."""
    cells = list(readings.read_cells(evidence, "score", ["dose"], {"rule": "a"}))[:1]
    (cell,) = (replace(cell, by_seed=dict.fromkeys(range(10), 1.0), mean=1.0) for cell in cells)
    lower = replace(cell, by_seed=dict.fromkeys(range(10), 1.0 - gap), mean=1.0 - gap)
    best, other = readings.compare_with_best([cell, lower])
    assert best.best
    assert other.ties is ties


def test_too_few_seeds_are_not_compared(smoke_book):
    cells = list(
        readings.read_cells(best_evidence(smoke_book, "dose"), "score", ["dose"], {"rule": "a"})
    )
    assert not any(cell.best or cell.ties for cell in readings.compare_with_best(cells))
    assert all(np.isnan(cell.low) for cell in cells)


def test_a_curve_is_averaged_over_the_seeds_that_reached_the_step(evidence):
    curves = readings.mean_curves(evidence, ["loss"], ["dose"], {"rule": "a"})
    diverged = curves[curves["dose"] == 10.0].set_index("step")
    assert diverged["n"].to_dict() == {0: 10, 5: 9, 10: 9}


@pytest.mark.parametrize(("x", "places"), [("step", [0, 5, 10]), ("tokens", [0, 5, 10])])
def test_a_curve_stands_over_steps_or_over_the_tokens_that_they_took(evidence, x, places):
    """A run of the experiment takes ten tokens in ten steps."""
    condition = {"rule": "a", "dose": 0.1}
    assert readings.mean_curves(evidence, ["loss"], [], condition, x=x)["x"].tolist() == places


def test_a_curve_can_stand_over_another(evidence):
    condition = {"rule": "a", "dose": 0.1}
    curves = readings.mean_curves(evidence, ["loss"], [], condition, x="loss")
    assert curves["x"].tolist() == curves["mean"].tolist()


def test_a_share_that_a_curve_stands_over_is_in_per_cent(evidence):
    loss = replace(readings.find_curve(evidence.experiment, "loss"), unit="share")
    shares = replace(evidence, experiment=replace(evidence.experiment, curves=(loss,)))
    curves = readings.mean_curves(shares, ["loss"], [], {"rule": "a", "dose": 0.1}, x="loss")
    assert curves["x"].tolist() == (100 * curves["mean"]).tolist()


def test_a_difference_is_that_of_the_runs_of_one_seed(evidence):
    differences = readings.read_differences(evidence, "score", "dose", 0.1, {"rule": "a"})
    assert [found.level for found in differences] == [0.01, 1.0, 10.0]
    treatment, control = (
        readings.read(evidence, "score", {"dose": dose, "rule": "a"}).by_seed for dose in (1.0, 0.1)
    )
    by_seed = [treatment[seed] - control[seed] for seed in range(10)]
    assert list(differences[1].by_seed) == by_seed
    assert differences[1].mean == pytest.approx(np.mean(by_seed))
    assert differences[1].low < differences[1].mean < differences[1].high


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (("scor", {"dose": 0.1, "rule": "a"}), "no metric 'scor' .did you mean 'score'"),
        (("score", {"does": 0.1}), "no axis 'does' .did you mean 'dose'"),
        (("score", {"dose": 3.0, "rule": "a"}), "no runs with dose = 3.0; use one of 0.01"),
        (("score", {"dose": 0.1}), "the axis rule of dose is not fixed; set it, as in rule='a'"),
    ],
)
def test_a_mistake_is_one_sentence_with_a_remedy(evidence, call, message):
    with pytest.raises(LabError, match=message):
        readings.read(evidence, *call)


@pytest.mark.parametrize(
    ("name", "unit", "text"),
    [
        ("step_time", "s", "step time (s)"),
        ("save_s", "s", "save (s)"),
        ("seconds", "s", "seconds"),
        ("best_epoch", "epochs", "best epoch"),
        ("n_parameters", "parameters", "parameters"),
        ("gpus", "GPUs", "GPUs"),
        ("bits_per_byte", "bits/byte", "bits per byte"),
        ("score", "share", "score (%)"),
        ("rank", "1", "rank"),
    ],
)
def test_a_column_says_its_unit_once(name, unit, text):
    assert readings.heading(Metric(name, "A column.", unit)) == text


def test_a_change_of_a_share_is_in_points_with_its_sign(evidence):
    reading = readings.read(evidence, "score", {"dose": 0.1, "rule": "a"})
    change = replace(reading, metric=replace(reading.metric, is_change=True))
    assert readings.heading(change.metric) == "score (points)"
    assert change.text.startswith("+")
    assert change.text.endswith(" points")
    assert " points, n = 10 seeds" in change.interval_text
