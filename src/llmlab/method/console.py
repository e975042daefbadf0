"""Output of the command line: progress of long work, and results as tables."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from llmlab.method.declare.experiment import SCALES
from llmlab.method.running.status import State
from llmlab.method.wording import counted

if TYPE_CHECKING:
    from llmlab.method.evidence.reproduction import Agreement
    from llmlab.method.judging.case import Judgement
    from llmlab.method.judging.verdict import Verdict
    from llmlab.method.running.campaign import Done, Step
    from llmlab.method.running.plan import Plan
    from llmlab.method.running.recheck import Recheck

STYLES = {
    "current": "green",
    "stale": "yellow",
    "partial": "cyan",
    "running": "cyan",
    "missing": "dim",
    "SUPPORTED": "green",
    "REFUTED": "red",
    "UNDECIDED": "yellow",
    "UNTESTED": "dim",
}


@contextmanager
def progress(title: str) -> Iterator[Callable[[int, int, str], None]]:
    """Yield a function to call with the steps done, the steps in all, and the latest event.

    It moves a bar on a terminal and prints plain lines elsewhere, both on standard error.
    """
    if not sys.stderr.isatty():
        yield _Lines(title)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("{task.fields[event]}", markup=False),
    )
    console, to_terminal = Console(stderr=True), sys.stdout.isatty()
    with Progress(
        *columns, console=console, redirect_stdout=to_terminal, speed_estimate_period=3600
    ) as bar:
        task = bar.add_task(title, event="")
        yield lambda done, total, event: bar.update(task, completed=done, total=total, event=event)


class _Lines:
    """Prints one line per step; estimates the time left from the steps done since the start."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.began = time.monotonic()
        self.done_before: int | None = None

    def __call__(self, done: int, total: int, event: str) -> None:
        if self.done_before is None:
            self.done_before = done
        elapsed = time.monotonic() - self.began
        times = f"{_clock(elapsed)} elapsed"
        if done > self.done_before:
            left = elapsed * (total - done) / (done - self.done_before)
            times += f", about {_clock(left)} left"
        print(f"{self.title} {done}/{total}, {times}: {event}", file=sys.stderr, flush=True)


def print_plan(plan: "Plan") -> None:
    """Print what a run would do: conditions, seeds, settings, workers, and finished runs."""
    experiment = plan.experiment
    budget = experiment.budgets[plan.scale]
    table = _table(f"{experiment.title} ({experiment.name}, {plan.scale})")
    for axis in experiment.axes:
        table.add_column(axis.name)
    for title in ("seeds", "finished"):
        table.add_column(title, justify="right")
    for condition in experiment.conditions(plan.scale):
        cells = [t for t in plan.chosen if t.condition == condition]
        finished = sum(map(plan.finished, cells))
        seeds = ", ".join(str(t.seed) for t in cells)
        table.add_row(*map(str, condition.values()), seeds, f"{finished} of {len(cells)}")
    _print(table)
    settings = ", ".join(f"{name}={value}" for name, value in budget.settings.items())
    print(f"settings: {settings or 'none'}")
    print(f"workers: {plan.workers} in parallel, {budget.threads} threads each")
    print(f"way: {plan.way}")
    print(f"GPUs: {', '.join(plan.gpus) or 'none'}")
    print(f"tables: {plan.folder}")
    for name in plan.unmet:
        print(f"needs first: llmlab run {name} --scale {plan.scale}")
    print(
        "The tables are current: nothing to do."
        if plan.is_done
        else f"{counted(len(plan.pending), 'run')} to do."
    )


def print_campaign(steps: Sequence["Step"], scale: str, within: float) -> None:
    """Print what a campaign would run, in order, and when each step is expected to end."""
    table = _table(f"A campaign at {scale} scale within {_clock(within)}")
    table.add_column("experiment")
    for title in ("runs left", "estimated", "ends at", "verdicts waiting"):
        table.add_column(title, justify="right")
    ends = 0.0
    for step in steps:
        ends += step.seconds
        late = "" if ends <= within else " (may not fit)"
        times = (_clock(step.seconds), f"{_clock(ends)}{late}")
        table.add_row(step.experiment, str(step.runs), *times, f"{step.value:g}")
    _print(table)
    if not steps:
        print("Everything is already computed here: nothing to do.")


def print_done(done: "Done") -> None:
    """Print one line for a finished step of a campaign."""
    why = f": {done.problem}" if done.problem else ""
    took = f"in {_clock(done.seconds)}"
    print(f"{done.experiment}: {done.finished} of {done.runs} runs {took}{why}", flush=True)


def print_recheck(found: "Recheck") -> None:
    """Print one line for a repeated run."""
    if found.skipped:
        what = f"not rerun, {found.skipped}"
    elif found.drifted:
        what = f"DRIFTED, {'; '.join(found.drifted)}"
    else:
        what = f"agrees, {_clock(found.seconds)}"
    print(f"{found.experiment} {found.run_id}: {what}", flush=True)


def print_status(states: Mapping[str, Mapping[str, State]]) -> None:
    """Print the state of each experiment at each scale, with the reason."""
    table = _table("Results")
    for title in ("experiment", *SCALES):
        table.add_column(title)
    for name, row in states.items():
        table.add_row(name, *(_state(row.get(scale)) for scale in SCALES))
    _print(table)


def print_verdicts(verdicts: Sequence["Verdict"]) -> None:
    """Print each hypothesis with its verdict, effect, interval and n."""
    table = _table("Verdicts")
    table.show_lines = True
    for title in ("hypothesis", "verdict", "effect", "interval", "n", "scale"):
        table.add_column(title)
    for verdict in verdicts:
        hypothesis = verdict.hypothesis
        table.add_row(
            f"{hypothesis.id}\n{hypothesis.title}",
            f"[{STYLES[verdict.word]}]{verdict.label}[/]",
            *_effect(verdict.judgement),
            verdict.scale or "–",
        )
    _print(table)


def print_reproduction(agreements: Sequence["Agreement"], scale: str) -> None:
    """Print how fresh tables compare with the recorded ones."""
    from llmlab.method.evidence.reproduction import explanation

    if not agreements:
        print(f"Nothing to compare at scale '{scale}': no results are both fresh and recorded.")
        return
    table = _table(f"Fresh and recorded results at scale '{scale}'")
    for title in ("experiment", "runs compared", "worst difference", "tolerance", "agreement"):
        table.add_column(title)
    for agreement in agreements:
        worst = agreement.worst
        table.add_row(
            agreement.experiment,
            f"{agreement.compared} of {agreement.rows}",
            f"{worst.absolute:.3g} ({worst.metric})" if worst else "none",
            f"{worst.tolerance:.3g}" if worst else "–",
            _agreement(agreement),
        )
    _print(table)
    if found := explanation(agreements):
        print(found)


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold")


def _print(table: Table) -> None:
    """Print a table at the terminal's width, or at the width that this book's tables need."""
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def _state(state: State | None) -> str:
    if state is None:
        return "–"
    details = ", ".join(filter(None, [state.origin, state.reason]))
    return f"[{STYLES[state.word]}]{state.word}[/]" + (f"\n{details}" if details else "")


def _agreement(agreement: "Agreement") -> str:
    because = f" (changed since: {', '.join(agreement.changes)})" if agreement.changes else ""
    if agreement.agrees:
        return "[green]agrees[/]" + because
    counts = {
        "values that differ": len(agreement.drifted),
        "runs in one table only": len(agreement.missing),
    }
    found = "; ".join(f"{what}: {count}" for what, count in counts.items() if count)
    return f"[red]{found}[/]{because}"


def _effect(found: "Judgement | None") -> tuple[str, str, str]:
    """Effect, interval and n."""
    if found is None:
        return "–", "–", "0"
    unit = "" if found.unit == "1" else f" {found.unit}"
    return f"{found.effect:.3g}{unit}", f"\\[{found.low:.3g}, {found.high:.3g}]", str(found.n)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
