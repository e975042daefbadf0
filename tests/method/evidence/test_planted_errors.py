"""Errors planted into the recorded smoke tables of every experiment are found by a comparison."""

from dataclasses import replace
from functools import cache

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


@cache
def read(name):
    folder = PROJECT.recorded("smoke", name)
    return Evidence(load_experiment(name), "smoke", "recorded", folder, read_manifest(folder), ())


def recorded(name, runs=None):
    """The recorded evidence, whose tables are read once; with other rows if some are given."""
    evidence = replace(read(name))
    vars(evidence)["runs"] = read(name).runs if runs is None else runs
    return evidence


def can_be_wrong(name):
    """Whether there are rows to permute, and values in them: at smoke scale some have none."""
    evidence = read(name)
    metrics = [metric.name for metric in evidence.experiment.metrics]
    return len(evidence.runs) > 1 and bool(evidence.runs[metrics].notna().any(axis=None))


@pytest.fixture(params=RECORDED)
def compared(request):
    """An experiment whose tables can be wrong; asked here, since it takes a second for all."""
    if not can_be_wrong(request.param):
        pytest.skip(f"at smoke scale {request.param} has no two rows with values")
    return request.param


def altered(name, change):
    """The recorded tables with the metrics of all rows changed."""
    runs, metrics = read(name).runs.copy(), [m.name for m in read(name).experiment.metrics]
    runs[metrics] = change(runs[metrics].astype(float))
    return recorded(name, runs)


def means(runs, evidence, metric):
    """The mean of a metric in each condition."""
    axes = [axis.name for axis in evidence.experiment.axes]
    return runs.groupby(axes)[metric].transform("mean").astype(float)


@pytest.mark.parametrize("name", RECORDED)
def test_a_table_agrees_with_itself(name):
    assert compare(recorded(name), recorded(name), DRIFTS).agrees


def test_rows_in_reverse_order_are_found(compared):
    planted = altered(compared, lambda metrics: metrics.iloc[::-1].to_numpy())
    assert compare(planted, recorded(compared), DRIFTS).drifted


def test_rows_replaced_by_their_mean_are_found(compared):
    planted = altered(compared, lambda metrics: metrics * 0 + metrics.mean())
    assert compare(planted, recorded(compared), DRIFTS).drifted


def test_any_metric_that_moves_by_what_conditions_differ_by_is_found(compared):
    evidence = recorded(compared)
    koans = evidence.experiment.budgets["smoke"].settings.get("exam_koans")
    one_koan = 1 / koans if koans else 0.0
    for metric in evidence.experiment.metrics:
        by_condition = means(evidence.runs, evidence, metric.name)
        spread = float(np.nan_to_num(by_condition.std()))
        by_seed = float(np.nan_to_num((evidence.runs[metric.name] - by_condition).std()))
        if spread == 0 or spread < max(one_koan, by_seed / 2):
            continue  # conditions of smoke scale differ by nothing, or less than a koan or seeds
        half = by_condition > by_condition.median()
        half = half if half.any() else by_condition == by_condition.max()
        moved = evidence.runs.copy()
        moved[metric.name] = moved[metric.name].astype(float) + spread * half
        found = compare(recorded(compared, moved), evidence, DRIFTS)
        assert {drift.metric for drift in found.drifted} == {metric.name}


@pytest.mark.parametrize(
    "name", [name for name in RECORDED if "pass_rate" in read(name).runs and can_be_wrong(name)]
)
def test_a_rate_at_its_other_end_is_found_on_any_machine(name, tmp_path):
    """There a coder starts from other files, so that tolerances are those of machines."""
    elsewhere = replace(read(name), folder=tmp_path / name)
    runs = read(name).runs
    vars(elsewhere)["runs"] = runs.assign(pass_rate=(runs["pass_rate"] < 0.5).astype(float))
    drifted = compare(elsewhere, recorded(name), DRIFTS).drifted
    assert {drift.metric for drift in drifted} == {"pass_rate"}
