"""Errors planted into the recorded smoke tables of every experiment are found by a comparison."""

import numpy as np
import pytest

from llmlab.method.declare.catalog import experiment_names, load_experiment
from llmlab.method.evidence.drift import read_drifts
from llmlab.method.evidence.lookup import Evidence
from llmlab.method.evidence.manifest import MANIFEST, read_manifest
from llmlab.method.evidence.reproduction import compare
from llmlab.method.project import Project

PROJECT = Project.find()
DRIFTS = read_drifts(PROJECT)
RECORDED = [
    name for name in experiment_names() if (PROJECT.recorded("smoke", name) / MANIFEST).is_file()
]


def recorded(name):
    folder = PROJECT.recorded("smoke", name)
    return Evidence(load_experiment(name), "smoke", "recorded", folder, read_manifest(folder), ())


def can_be_wrong(name):
    """Whether there are rows to permute, and values in them: at smoke scale some have none."""
    evidence = recorded(name)
    metrics = [metric.name for metric in evidence.experiment.metrics]
    return len(evidence.runs) > 1 and bool(evidence.runs[metrics].notna().any(axis=None))


COMPARED = [name for name in RECORDED if can_be_wrong(name)]


def altered(name, change):
    """The recorded tables with the metrics of all rows changed."""
    evidence = recorded(name)
    runs, metrics = evidence.runs.copy(), [m.name for m in evidence.experiment.metrics]
    runs[metrics] = change(runs[metrics].astype(float))
    vars(evidence)["runs"] = runs
    return evidence


def means(runs, evidence, metric):
    """The mean of a metric in each condition."""
    axes = [axis.name for axis in evidence.experiment.axes]
    return runs.groupby(axes)[metric].transform("mean").astype(float)


@pytest.mark.parametrize("name", RECORDED)
def test_a_table_agrees_with_itself(name):
    assert compare(recorded(name), recorded(name), DRIFTS).agrees


@pytest.mark.parametrize("name", COMPARED)
def test_rows_in_reverse_order_are_found(name):
    planted = altered(name, lambda metrics: metrics.iloc[::-1].to_numpy())
    assert compare(planted, recorded(name), DRIFTS).drifted


@pytest.mark.parametrize("name", COMPARED)
def test_rows_replaced_by_their_mean_are_found(name):
    planted = altered(name, lambda metrics: metrics * 0 + metrics.mean())
    assert compare(planted, recorded(name), DRIFTS).drifted


@pytest.mark.parametrize("name", COMPARED)
def test_any_metric_that_moves_by_what_conditions_differ_by_is_found(name):
    evidence = recorded(name)
    koans = evidence.experiment.budgets["smoke"].settings.get("exam_koans")
    one_koan = 1 / koans if koans else 0.0
    for metric in evidence.experiment.metrics:
        by_condition = means(evidence.runs, evidence, metric.name)
        spread = float(np.nan_to_num(by_condition.std()))
        if spread == 0 or spread < one_koan:
            continue  # at smoke scale no condition differs in it, or by less than one koan
        half = by_condition > by_condition.median()
        half = half if half.any() else by_condition == by_condition.max()
        planted = recorded(name)
        moved = planted.runs.copy()
        moved[metric.name] = moved[metric.name].astype(float) + spread * half
        vars(planted)["runs"] = moved
        found = compare(planted, evidence, DRIFTS)
        assert {drift.metric for drift in found.drifted} == {metric.name}
