"""The classifier two-sample test (Lopez-Paz and Oquab 2017, arXiv:1610.06545), split by system.

Whole systems are held out. The judge learns from the other runs and from series drawn from them. It
is tested on the held-out runs, and on new series drawn from the runs that it learnt from, so that
no test series was fitted to a held-out run.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from llmlab.cluster.dynamics.library import RealRun, real_runs
from llmlab.cluster.realism.contenders import Contender, real
from llmlab.cluster.realism.views import View

Judge = Callable[[Sequence, np.ndarray, Sequence, int], np.ndarray]
"""Takes training windows, whether each is real (n,), test windows and a seed; returns calls."""

WINDOWS = 10
"""Most windows per series, so that long runs do not dominate."""


@dataclass(frozen=True)
class Contest:
    """A contender, the view of it, and the judge."""

    contender: Contender
    view: View
    judge: Judge


def groups(count: int) -> list[list[RealRun]]:
    """Split the steady runs into `count` groups of about equal size; a system is in one group."""
    systems: dict[str, list[RealRun]] = {}
    for run in real_runs():
        systems.setdefault(system_of(run), []).append(run.after_warm_up())
    dealt: list[list[RealRun]] = [[] for _ in range(count)]
    for _, runs in sorted(systems.items(), key=lambda item: (-len(item[1]), item[0])):
        min(dealt, key=len).extend(runs)
    return dealt


def system_of(run: RealRun) -> str:
    """The run's name without the trailing number of its repetition."""
    return re.sub(r"[-_]\d+$", "", run.name)


def accuracy(
    contest: Contest,
    left_out: Sequence[RealRun],
    others: Sequence[RealRun],
    repeats: int,
    seed: int,
) -> float:
    """Share of correct calls on test windows: the mean over runs and their rivals, averaged over
    `repeats` repetitions with new draws."""
    rng = np.random.default_rng(seed)
    return float(np.mean([_once(contest, left_out, others, rng) for _ in range(repeats)]))


def _once(
    contest: Contest,
    left_out: Sequence[RealRun],
    others: Sequence[RealRun],
    rng: np.random.Generator,
) -> float:
    if contest.contender is real:  # compare one half of the runs with the other
        new, new_rivals = _halves(left_out, rng)
        seen, seen_rivals = _halves(others, rng)
    else:
        new, seen, seen_rivals = left_out, others, others
        new_rivals = [others[place] for place in rng.choice(len(others), len(new))]
    learnt = _cut(contest, real, seen, rng), _cut(contest, contest.contender, seen_rivals, rng)
    asked = _cut(contest, real, new, rng) + _cut(contest, contest.contender, new_rivals, rng)
    windows = [window for cuts in learnt for cut in cuts for window in cut]
    is_real = np.repeat([True, False], [sum(map(len, cuts)) for cuts in learnt])
    flat = [window for cut in asked for window in cut]
    calls = contest.judge(windows, is_real, flat, int(rng.integers(2**31)))
    by_run = np.split(calls, np.cumsum([len(cut) for cut in asked])[:-1])
    called_real = [float(called.mean()) for called in by_run]
    right = np.mean(called_real[: len(new)]), 1 - np.mean(called_real[len(new) :])
    return float(np.mean(right))


def _halves(
    runs: Sequence[RealRun], rng: np.random.Generator
) -> tuple[list[RealRun], list[RealRun]]:
    shuffled = [runs[place] for place in rng.permutation(len(runs))]
    return shuffled[::2], shuffled[1::2]


def _cut(
    contest: Contest, contender: Contender, runs: Sequence[RealRun], rng: np.random.Generator
) -> list[list]:
    """Some windows of each run's series."""
    cuts = [contest.view(contender(run, rng)) for run in runs]
    return [[cut[place] for place in _some(len(cut), rng)] for cut in cuts]


def _some(count: int, rng: np.random.Generator) -> np.ndarray:
    return np.sort(rng.permutation(count)[:WINDOWS])
