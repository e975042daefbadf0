"""Reruns one recorded run of each experiment, another one each day.

Whole tables take hours at laptop scale. One run of each a day takes minutes, and in time each is
rerun: a recorded number that today's code or machine does not give is found. A long training is
another one after the first sum in another order, so a rerun may differ from its recorded run by
what the seeds of its condition differ by, times a factor.
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
"""A rerun may differ by so many standard deviations over the seeds of its condition."""

SLOWER = 3.0
"""A busy or older machine may take so many times what the recorded run took."""


@dataclass(frozen=True)
class Recheck:
    """What became of one run.

    Attributes:
        drifted: each metric that differs by too much, in words.
        skipped: why it was not rerun; empty if it was.
    """

    experiment: str
    run_id: str
    seconds: float = 0.0
    drifted: tuple[str, ...] = ()
    skipped: str = ""


def recheck(project: Project, within: float, day: date, scale: str = "laptop") -> Iterator[Recheck]:
    """Rerun one run of each recorded experiment, the shortest first, while there is time.

    Args:
        within: seconds.
        day: chooses the run of each experiment.

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
    """The row of a table whose turn it is; all have theirs in as many days as there are rows."""
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
        return "it is no run of the present budget"
    if recorded.changes:
        return f"its code changed since ({', '.join(recorded.changes[:3])}, …)"
    if plan.unmet:
        return f"it needs {', '.join(plan.unmet)}, which is not computed here"
    if SLOWER * seconds > left:
        return f"it may take {SLOWER * seconds:.0f} s, and {max(0.0, left):.0f} s are left"
    return ""


def _run_apart(plan: Plan, trial: Trial) -> Outcome:
    """Run one trial in a process of its own, with the threads of its budget; keep nothing."""
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
    """Each metric of a rerun that is farther from its recorded row than seeds are apart."""
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
    """What the seeds of a condition differ by, as a standard deviation.

    Of the other seeds of the row's condition; with fewer than three of the other conditions'. The
    row itself has no part in it: a wrong number would excuse itself.
    """
    axes = [axis.name for axis in recorded.experiment.axes]
    others = recorded.runs[recorded.runs["run_id"] != row["run_id"]]
    same = others[(others[axes] == row[axes]).all(axis=1)][metric].dropna()
    if len(same) > 2:
        return float(same.std(ddof=1))
    spreads = others.groupby(axes)[metric].std(ddof=1) if axes else others[[metric]].std(ddof=1)
    return float(np.nan_to_num(spreads.median()))
