"""Rerun one recorded run of each experiment, a different one each day.

Whole tables take hours at laptop scale. One run of each per day takes minutes, and in time every
run is repeated, which finds recorded numbers that the present code or machine does not reproduce.
Long trainings diverge after the first sum in another order, so a rerun may differ from its recorded
run by the spread of the seeds of its condition, times a factor.
"""

import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd

from llmlab.method.declare.catalog import catalog
from llmlab.method.declare.experiment import Outcome, Trial
from llmlab.method.evidence.drift import FLOAT_NOISE
from llmlab.method.evidence.lookup import Evidence, recorded_evidence
from llmlab.method.project import Project
from llmlab.method.running.plan import Plan, make_plan
from llmlab.method.running.worker import worker_environment

SPREADS = 4.0
"""A rerun may differ by this many standard deviations over the seeds of its condition."""

SLOWER = 3.0
"""A busy or older machine may take this many times as long as the recorded run."""


@dataclass(frozen=True)
class Recheck:
    """The outcome for one run.

    Attributes:
        drifted: each metric that differs too much, in words.
        skipped: why it was not rerun; empty if it was.
    """

    experiment: str
    run_id: str
    seconds: float = 0.0
    drifted: tuple[str, ...] = ()
    skipped: str = ""


def recheck(project: Project, within: float, day: date, scale: str = "laptop") -> Iterator[Recheck]:
    """Rerun one run of each recorded experiment, shortest first, while there is time.

    Args:
        within: time limit in seconds.
        day: selects the run of each experiment.

    Raises:
        LabError: a recorded table is damaged.
    """
    ends = time.monotonic() + within
    found = (recorded_evidence(project, name, scale) for name in catalog())
    chosen = [(each, todays_row(each, day)) for each in found if each is not None]
    for recorded, row in sorted(chosen, key=lambda pair: float(pair[1]["seconds"])):
        plan = make_plan(recorded.experiment, scale, project)
        yield _recheck(plan, recorded, row, ends - time.monotonic())


def todays_row(recorded: Evidence, day: date) -> pd.Series:
    """The row of a table for a day; a table of n rows is covered in n days."""
    return recorded.runs.iloc[day.toordinal() % len(recorded.runs)]


def _recheck(plan: Plan, recorded: Evidence, row: pd.Series, left: float) -> Recheck:
    name, run_id = plan.experiment.name, str(row["run_id"])
    trial = next((each for each in plan.trials if each.run_id == run_id), None)
    why = _why_not(plan, recorded, trial, float(row["seconds"]), left)
    if why:
        return Recheck(name, run_id, skipped=why)
    started = time.monotonic()
    outcome = _run_apart(plan, trial)
    seconds = time.monotonic() - started
    return Recheck(name, run_id, seconds, differences(recorded, row, outcome))


def _why_not(
    plan: Plan, recorded: Evidence, trial: Trial | None, seconds: float, left: float
) -> str:
    if trial is None:
        return "it is not a run of the present budget"
    if recorded.changes:
        return f"its code changed since ({', '.join(recorded.changes[:3])}, …)"
    if plan.unmet:
        return f"it needs {' and '.join(plan.unmet)}, not computed here"
    if SLOWER * seconds > left:
        return f"it may take {SLOWER * seconds:.0f} s, and {max(0.0, left):.0f} s are left"
    return ""


def _run_apart(plan: Plan, trial: Trial) -> Outcome:
    """Run one trial in its own process, with the threads of its budget; keep no files."""
    threads = plan.experiment.budgets[plan.scale].threads
    with (
        tempfile.TemporaryDirectory() as keep,
        worker_environment(threads),
        ProcessPoolExecutor(1, get_context("spawn")) as pool,
    ):
        return pool.submit(_outcome, replace(trial, keep=Path(keep))).result()


def _outcome(trial: Trial) -> Outcome:
    return catalog()[trial.experiment].run(trial)


def differences(recorded: Evidence, row: pd.Series, outcome: Outcome) -> tuple[str, ...]:
    """The metrics of a rerun that differ from the recorded row by more than seeds do, in words."""
    if outcome.status != row["status"]:
        return (f"status {outcome.status} here, {row['status']} recorded",)
    found = []
    for metric in recorded.experiment.metrics:
        here, there = float(outcome.metrics[metric.name]), float(row[metric.name])
        allowed = SPREADS * _spread(recorded, row, metric.name) + FLOAT_NOISE * abs(there)
        allowed = max(allowed, metric.tolerance) if allowed == 0 else allowed
        same = here == there or (np.isnan(here) and np.isnan(there))
        if not same and not abs(here - there) <= allowed:
            found.append(f"{metric.name} {here:.6g} here, {there:.6g} recorded, ± {allowed:.2g}")
    return tuple(found)


def _spread(recorded: Evidence, row: pd.Series, metric: str) -> float:
    """The standard deviation over the seeds of a row's condition.

    Computed over the condition's other seeds; with fewer than three, the median over all
    conditions. Excludes the row itself, since a wrong number would excuse itself.
    """
    axes = [axis.name for axis in recorded.experiment.axes]
    others = recorded.runs[recorded.runs["run_id"] != row["run_id"]]
    same = others[(others[axes] == row[axes]).all(axis=1)][metric].dropna()
    if len(same) > 2:
        return float(same.std(ddof=1))
    spreads = others.groupby(axes)[metric].std(ddof=1) if axes else others[[metric]].std(ddof=1)
    return float(np.nan_to_num(spreads.median()))
