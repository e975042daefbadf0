"""A campaign: as much of the catalogue as fits into a few minutes of a rented machine.

It plans by estimated seconds and by value, runs one experiment after the other, one process for
each GPU, and stops in time: what is finished by then is kept, run by run. Another campaign goes on
where it stopped. See `packing` for the way home.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from llmlab.method.declare.catalog import catalog
from llmlab.method.declare.experiment import SCALES, Budget
from llmlab.method.errors import LabError
from llmlab.method.evidence.lookup import recorded_evidence
from llmlab.method.project import Project
from llmlab.method.running.lease import visible_gpus
from llmlab.method.running.plan import Plan, make_plan

START_SECONDS = 6.0
"""What an experiment takes before its first run: a process starts and loads its libraries."""

UNKNOWN_RUN_SECONDS = 30.0
"""A run of an experiment of which nothing is recorded."""

GPU_PACE = 4.0
"""How many times faster than a core a GPU is thought to be before the first run is measured."""

TOGETHER_PACE = 20.0
"""How many times more runs a GPU finishes if it computes them together."""

ENDING_SECONDS = 8.0
"""How long before its end a campaign stops a run, so that it can pack."""


@dataclass(frozen=True)
class Step:
    """One experiment of a campaign.

    Attributes:
        runs: that are not finished.
        seconds: estimated for them.
        value: how many hypotheses wait for them, those of experiments that need them included.
        needs: experiments that have to come first.
    """

    experiment: str
    runs: int
    seconds: float
    value: float
    needs: tuple[str, ...]


@dataclass(frozen=True)
class Done:
    """What became of a step.

    Attributes:
        finished, runs: how many of its runs are finished now, and how many there were to be.
        seconds: that it took.
        problem: the last line that it printed if it failed; empty otherwise.
    """

    experiment: str
    finished: int
    runs: int
    seconds: float
    problem: str = ""


def plan_campaign(project: Project, scale: str, values: Mapping[str, float]) -> list[Step]:
    """All that is left to run at a scale, in the order in which it will be.

    What gives most verdicts per second comes first, and what an experiment needs before it.

    Args:
        values: by experiment how many verdicts wait for it.

    Raises:
        LabError: the scale is unknown.
    """
    if scale not in SCALES:
        raise LabError(f"unknown scale '{scale}'; scales are {', '.join(SCALES)}.")
    plans = {
        name: make_plan(experiment, scale, project, workers=processes())
        for name, experiment in catalog().items()
        if scale in experiment.budgets
    }
    left = {name: plan for name, plan in plans.items() if not plan.is_done}
    steps = {name: _step(project, plan, values, left) for name, plan in left.items()}
    return list(_in_order(steps))


def processes() -> int:
    """One process for each GPU, or one."""
    return max(1, len(visible_gpus()))


def _step(
    project: Project, plan: Plan, values: Mapping[str, float], left: Mapping[str, Plan]
) -> Step:
    name = plan.experiment.name
    unfinished = sum(not plan.finished(trial) for trial in plan.trials)
    needing = [other for other in left if name in left[other].experiment.needs]
    return Step(
        experiment=name,
        runs=unfinished,
        seconds=START_SECONDS + unfinished * _seconds_per_run(project, plan),
        value=values.get(name, 0.0) + sum(values.get(other, 0.0) for other in needing),
        needs=tuple(need for need in plan.experiment.needs if need in left),
    )


def _seconds_per_run(project: Project, plan: Plan) -> float:
    """Of the machine, not of one process: runs that go on side by side share it."""
    recorded = next(
        filter(
            None,
            (
                recorded_evidence(project, plan.experiment.name, scale)
                for scale in (plan.scale, *reversed(SCALES))
                if scale in plan.experiment.budgets
            ),
        ),
        None,
    )
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
    """What a run costs, as far as its settings say: examples seen."""
    steps = budget.settings.get("steps", 1)
    batch = budget.settings.get("batch_size", 1)
    return float(steps) * float(batch)


def _in_order(steps: Mapping[str, Step]) -> Iterator[Step]:
    """By value per second, each after what it needs."""
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

    A step that is not thought to fit into what is left is put off: others may fit. What is left
    over at the end goes to the first of these, as far as it comes.

    Args:
        within: seconds for everything.
    """
    ends = time.monotonic() + within - ENDING_SECONDS
    put_off, pace, failed = [], 1.0, set()
    for step in steps:
        left = ends - time.monotonic()
        if failed.intersection(step.needs):
            failed.add(step.experiment)
            yield Done(step.experiment, 0, step.runs, 0.0, "what it needs is not there")
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
            yield Done(step.experiment, 0, step.runs, 0.0, "there was no time left for it")


def _run(project: Project, scale: str, step: Step, left: float) -> Done:
    """Run one experiment in a process group of its own, which is stopped when time is up."""
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
        _, said = process.communicate(timeout=max(0.0, left))
        problem = said.strip().splitlines()[-1] if process.returncode and said.strip() else ""
    except subprocess.TimeoutExpired:
        _stop(process)
        problem = ""
    experiment = catalog()[step.experiment]
    plan = make_plan(experiment, scale, project, workers=processes())
    unfinished = sum(not plan.finished(trial) for trial in plan.trials)
    finished = step.runs - unfinished
    return Done(step.experiment, finished, step.runs, time.monotonic() - started, problem)


def _stop(process: subprocess.Popen[str]) -> None:
    """Interrupt a process as Ctrl-C would; end its whole group if it does not heed that."""
    os.killpg(process.pid, signal.SIGINT)
    try:
        process.communicate(timeout=ENDING_SECONDS / 2)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
