"""What `llmlab finetune` prints while a run goes on, and how it ends."""

import sys
from collections.abc import Iterable

from llmlab.finetune.command.events import (
    Diverged,
    Event,
    Finished,
    Interrupted,
    Step,
    Validation,
)
from llmlab.finetune.command.session import REPORT, FinetuneSession
from llmlab.finetune.command.tables import print_accuracy, print_layers, print_prepared
from llmlab.finetune.model.methods import Full
from llmlab.finetune.observe.layers import StepReport
from llmlab.gpt.alarms import Alarm
from llmlab.gpt.speed import Throughput
from llmlab.gpt.training import Point
from llmlab.method.console import progress
from llmlab.method.errors import LabError
from llmlab.runs.control import Steered
from llmlab.runs.folder import LOG, first_free
from llmlab.runs.shell import pasted


def show(events: Iterable[Event], session: FinetuneSession) -> None:
    """Show the events of a run as they come.

    Raises:
        LabError: the loss became NaN or infinite, or Ctrl-C stopped the run.
    """
    total = session.config.train.steps
    often = 1 if sys.stderr.isatty() else max(1, total // 10)
    reports: list[StepReport] = []
    throughput = Throughput()
    events = iter(events)
    print_prepared(next(events), session)
    with progress("train") as report:
        for event in events:
            match event:
                case Step(point=point, report=looked):
                    throughput.see(point)
                    reports += [looked] if looked else []
                    if point.step % often == often - 1 or point.step == total - 1:
                        report(point.step + 1, total, _progress_line(point, throughput))
                case Validation():
                    print(
                        f"step {event.step}: test loss {event.loss:.3f}, "
                        f"{event.accuracy:.0%} of the answers right",
                        flush=True,
                    )
                case Alarm():
                    print(f"step {event.step}: {event.kind}: {event.message}", file=sys.stderr)
                case Steered():
                    print(f"step {event.step}: {event.sentence}", flush=True)
                case Diverged():
                    raise LabError(_diverged(event, session))
                case Interrupted():
                    raise LabError(_interrupted(event, session))
                case Finished():
                    finished = event
    print_layers(reports)
    print_accuracy(finished, session)
    print(_next_steps(session, finished))


def _progress_line(point: Point, throughput: Throughput) -> str:
    return (
        f"loss {point.loss:.3f}, grad {point.gradient_norm:.2g}, "
        f"lr {point.learning_rate:.1e}, {throughput.tokens_per_second:,.0f} tokens/s"
    )


def _next_steps(session: FinetuneSession, finished: Finished) -> str:
    folder = session.folder
    commands = [
        ("generate", folder, "--prompt", session.data.prompt),
        ("curves", folder / LOG),
    ]
    if not isinstance(session.config.method, Full):
        commands.append(("merge", folder, "--out", first_free(folder.parent / "merged")))
    lines = [
        "",
        f"Trained in {finished.seconds:.0f} s. In {folder}:",
        f"  {session.saved_to.name}/, {LOG} (every step), {REPORT}",
        "Next:",
        *(f"  {pasted('llmlab', *parts)}" for parts in commands),
    ]
    return "\n".join(lines)


def _diverged(event: Diverged, session: FinetuneSession) -> str:
    before = (
        f"the last step with a finite loss was {event.step - 1}"
        if event.step
        else "it is the first"
    )
    kept = f"the weights after it are in {session.saved_to}" if event.kept else "nothing is kept"
    return (
        f"training stopped at step {event.step}, where the loss is {event.loss:.3g} and the "
        f"gradient norm {event.gradient_norm:.3g} at the learning rate {event.learning_rate:.3g} "
        f"({before}; {kept}): start again with a lower --learning-rate."
    )


def _interrupted(event: Interrupted, session: FinetuneSession) -> str:
    return (
        f"interrupted after step {event.step} of {session.config.train.steps}; what was learned "
        f"until then is kept in {session.saved_to}."
    )
