"""What machines differ by: measured, kept, multiplied."""

import math

import numpy as np
import pytest

from llmlab.method.declare.experiment import Metric
from llmlab.method.errors import LabError
from llmlab.method.evidence.drift import (
    FACTOR,
    FLOAT_NOISE,
    LITTLE,
    Drift,
    learned,
    read_drifts,
    tolerance,
    write_drifts,
)

KEY = ("smoke", "toy", "loss")
LOSS = Metric("loss", "Loss.", "nats", "lower", tolerance=0.1)


def test_reruns_teach_the_largest_difference():
    drifts = learned(learned({}, [(KEY, 0.02)]), [(KEY, 0.01)])
    assert drifts == {KEY: Drift(*KEY, largest=0.02, reruns=2)}
    assert learned(drifts, [(KEY, math.inf)]) == drifts


def test_a_tolerance_is_a_multiple_of_what_was_measured():
    drifts = learned({}, [(KEY, 0.02)])
    same = np.array([3.0, 3.0])
    measured = tolerance(drifts, "smoke", "toy", LOSS, same)
    assert measured == pytest.approx(FACTOR * 0.02 + 3 * FLOAT_NOISE)
    assert tolerance(drifts, "laptop", "toy", LOSS, same) == LOSS.tolerance


def test_one_item_may_differ_where_that_is_little():
    share = Metric("loss", "Share.", "share", "higher")
    drifts = learned({}, [(KEY, 0.0)])
    assert tolerance(drifts, *KEY[:2], share, np.array([0.0, 0.02, 0.5])) == pytest.approx(0.02)
    apart = np.array([0.0, 0.5])  # one item is all there is between these
    assert tolerance(drifts, *KEY[:2], share, apart) == pytest.approx(0.125)
    assert tolerance(drifts, *KEY[:2], LOSS, apart) == pytest.approx(LITTLE * 0.25)


def test_who_starts_from_the_same_files_differs_by_half_a_deviation_at_most():
    drifts, values = learned({}, [(KEY, 0.2)]), np.array([0.0, 0.1])
    elsewhere = tolerance(drifts, *KEY[:2], LOSS, values)
    assert elsewhere == pytest.approx(FACTOR * 0.2 + LITTLE * 0.05)
    assert tolerance(drifts, *KEY[:2], LOSS, values, starts_alike=True) == pytest.approx(0.025)
    near = learned({}, [(KEY, 0.0)])  # what was measured may be less than that
    assert tolerance(near, *KEY[:2], LOSS, values, starts_alike=True) < 0.025


def test_drifts_are_read_as_they_were_written(lab):
    drifts = learned({}, [(KEY, 0.02), (("smoke", "toy", "gap"), 0.0)])
    write_drifts(lab.project, drifts)
    assert read_drifts(lab.project) == drifts


def test_a_damaged_file_is_refused(lab):
    write_drifts(lab.project, learned({}, [(KEY, 0.02)]))
    path = lab.project.root / "results" / "drift.csv"
    path.write_text(path.read_text().replace("0.02", "much"))
    with pytest.raises(LabError, match="is damaged"):
        read_drifts(lab.project)
