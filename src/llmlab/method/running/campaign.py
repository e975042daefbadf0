"""A campaign: as much of the catalogue as fits into a few minutes on a rented machine.

It plans by estimated time and value, runs one experiment after another with one process per GPU,
and stops in time. Every finished run is kept, and another campaign continues from there. `packing`
brings the results home.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from llmlab.method.declare.catalog import catalog, check_scale
from llmlab.method.declare.experiment import SCALES, Budget
from llmlab.method.evidence.lookup import recorded_evidence
from llmlab.method.project import Project
from llmlab.method.running.lease import visible_gpus
from llmlab.method.running.plan import Plan, make_plan

START_SECONDS = 6.0
"""Startup time of an experiment: a process starts and loads its libraries."""

UNKNOWN_RUN_SECONDS = 30.0
"""Assumed time of a run if nothing is recorded for its experiment."""

GPU_PACE = 4.0
"""Assumed speed of a GPU relative to a core before the first run is measured."""

TOGETHER_PACE = 20.0
"""Factor on the throughput of a GPU if it computes runs together."""

LONGEST_WAIT = 2e6
"""Most seconds that the system waits for a process at once, and more than any step takes."""

ENDING_SECONDS = 8.0
"""Time before its end at which a campaign stops a run, so that it can pack."""


@dataclass(frozen=True)
class Step:
    """One experiment of a campaign.

    Attributes:
        runs: number of unfinished runs.
        seconds: estimated time for them.
        value: number of hypotheses that wait for them, including those of dependent experiments.
        needs: experiments that must run first.
    """

    experiment: str
    runs: int
    seconds: float
    value: float
    needs: tuple[str, ...]


@dataclass(frozen=True)
class Done:
    """The outcome of a step.

    Attributes:
        finished, runs: number of finished runs, and of runs planned.
        seconds: time taken.
        problem: last line of the error output if it failed; empty otherwise.
    """

    experiment: str
    finished: int
    runs: int
    seconds: float
    problem: str = ""


def plan_campaign(project: Project, scale: str, values: Mapping[str, float]) -> list[Step]:
    """Plan all unfinished runs at a scale, in execution order.

    The steps with the most value per second come first, each after what it needs.

    Args:
        values: by experiment, how many verdicts wait for it.

    Raises:
        LabError: the scale is unknown.
    """
    check_scale(scale)
    plans = {
        name: make_plan(experiment, scale, project, workers=processes())
        for name, experiment in catalog().items()
        if scale in experiment.budgets
    }
    left = {name: plan for name, plan in plans.items() if not plan.is_done}
    steps = {name: _step(project, plan, values, left) for name, plan in left.items()}
    return list(_in_order(steps))


def processes() -> int:
    """The number of processes: one per GPU, at least one."""
    return max(1, len(visible_gpus()))


def _step(
    project: Project, plan: Plan, values: Mapping[str, float], left: Mapping[str, Plan]
) -> Step:
    name = plan.experiment.name
    unfinished = len(plan.pending)
    needing = [other for other in left if name in left[other].experiment.needs]
    return Step(
        experiment=name,
        runs=unfinished,
        seconds=START_SECONDS + unfinished * _seconds_per_run(project, plan),
        value=values.get(name, 0.0) + sum(values.get(other, 0.0) for other in needing),
        needs=tuple(need for need in plan.experiment.needs if need in left),
    )


def _seconds_per_run(project: Project, plan: Plan) -> float:
    """Estimated machine time per run; parallel runs share it."""
    scales = (plan.scale, *reversed(SCALES))
    found = (recorded_evidence(project, plan.experiment.name, scale) for scale in scales)
    recorded = next(filter(None, found), None)
    if recorded is None:
        return UNKNOWN_RUN_SECONDS / plan.workers
    seconds = float(recorded.runs["seconds"].mean())
    if recorded.scale == plan.scale:
        return seconds / plan.workers
    budgets = plan.experiment.budgets
    more = _work(budgets[plan.scale]) / _work(budgets[recorded.scale])
    pace = (GPU_PACE if plan.gpus else 1.0) * (TOGETHER_PACE if plan.together else 1.0)
    return seconds * more / pace / plan.workers


def _work(budget: Budget) -> float:
    """The relative cost of a run by its settings: the number of examples seen."""
    steps = budget.settings.get("steps", 1)
    batch = budget.settings.get("batch_size", 1)
    return float(steps) * float(batch)


def _in_order(steps: Mapping[str, Step]) -> Iterator[Step]:
    """The steps by value per second, each after what it needs."""
    waiting = dict(steps)
    while waiting:
        ready = [
            step for step in waiting.values() if not any(need in waiting for need in step.needs)
        ]
        best = max(ready, key=lambda step: (step.value / step.seconds, -step.seconds))
        yield waiting.pop(best.experiment)


def run_campaign(
    project: Project, scale: str, steps: Sequence[Step], within: float
) -> Iterator[Done]:
    """Run the steps in turn, and stop in time.

    A step not expected to fit into the remaining time is put off, since others may fit. Time left
    over at the end goes to the first of those put off, as far as it goes.

    Args:
        within: seconds for everything.
    """
    ends = time.monotonic() + within - ENDING_SECONDS
    put_off, pace, failed = [], 1.0, set()
    for step in steps:
        left = ends - time.monotonic()
        if failed.intersection(step.needs):
            failed.add(step.experiment)
            yield Done(step.experiment, 0, step.runs, 0.0, "an experiment that it needs is missing")
        elif step.seconds * pace > left:
            put_off.append(step)
            failed.add(step.experiment)
        else:
            done = _run(project, scale, step, left)
            pace = max(0.05, done.seconds / step.seconds) if done.finished else pace
            if done.finished < done.runs:
                failed.add(step.experiment)
            yield done
    for step in put_off:
        left = ends - time.monotonic()
        if left > START_SECONDS and not any(need in failed for need in step.needs):
            yield _run(project, scale, step, left)
        else:
            yield Done(step.experiment, 0, step.runs, 0.0, "no time was left")


def _run(project: Project, scale: str, step: Step, left: float) -> Done:
    """Run one experiment in its own process group, and stop the group when time is up."""
    command = [sys.executable, "-m", "llmlab", "run", step.experiment, "--scale", scale]
    started = time.monotonic()
    process = subprocess.Popen(
        [*command, "--workers", str(processes())],
        cwd=project.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    try:
        _, said = process.communicate(timeout=min(max(0.0, left), LONGEST_WAIT))
        problem = said.strip().splitlines()[-1] if process.returncode and said.strip() else ""
    except subprocess.TimeoutExpired:
        _stop(process)
        problem = ""
    experiment = catalog()[step.experiment]
    plan = make_plan(experiment, scale, project, workers=processes())
    finished = step.runs - len(plan.pending)
    return Done(step.experiment, finished, step.runs, time.monotonic() - started, problem)


def _stop(process: subprocess.Popen[str]) -> None:
    """Interrupt a process as Ctrl-C would; kill its whole group if it does not stop."""
    os.killpg(process.pid, signal.SIGINT)
    try:
        process.communicate(timeout=ENDING_SECONDS / 2)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
