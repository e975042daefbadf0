"""What `llmlab train` prints while it trains: a moving bar on a terminal, plain lines in a log."""

import sys
from collections.abc import Iterable

import torch

from llmlab.gpt.alarms import Alarm
from llmlab.gpt.command.run_events import Diverged, Finished, Interrupted, Saved
from llmlab.gpt.command.session import SessionEvent
from llmlab.gpt.pretraining import PretrainingRecipe, Validation
from llmlab.gpt.speed import Throughput, mfu, peak_flops
from llmlab.gpt.training import Point
from llmlab.method.console import progress
from llmlab.method.errors import LabError
from llmlab.runs.control import Steered


class Meter:
    """Speed of all processes together, and MFU, over the last steps; no validation."""

    def __init__(self, recipe: PretrainingRecipe, device: torch.device, world: int) -> None:
        self._recipe = recipe
        self._world = world
        self._peak = peak_flops(device, recipe.train.precision)
        self._throughput = Throughput()

    def see(self, point: Point) -> None:
        """Count a step."""
        self._throughput.see(point)

    def __str__(self) -> str:
        speed = self._throughput.tokens_per_second
        if speed is None:
            return ""
        shown = f"{speed:,.0f} tokens/s"
        if self._peak:
            shown += f", MFU {mfu(self._recipe.shape, speed, self._peak * self._world):.0%}"
        return shown


def show(
    events: Iterable[SessionEvent], title: str, recipe: PretrainingRecipe, meter: Meter
) -> None:
    """Show the events of a run as they come.

    Raises:
        LabError: training stopped because its loss became NaN or infinite, or by Ctrl-C.
    """
    total = recipe.train.steps
    often = 1 if sys.stderr.isatty() else max(1, total // 20)
    with progress(title) as report:
        for event in events:
            match event:
                case Point(step=step) if step % often == often - 1 or step == total - 1:
                    meter.see(event)
                    report(step + 1, total, f"loss {event.loss:.3f}, {meter}")
                case Point():
                    meter.see(event)
                case Validation():
                    print(
                        f"step {event.step}: validation loss {event.loss:.3f} nats/token, "
                        f"{event.bits_per_byte:.3f} bits/byte",
                        flush=True,
                    )
                case Alarm():
                    print(f"step {event.step}: {event.kind}: {event.message}", file=sys.stderr)
                case Steered():
                    print(f"step {event.step}: {event.sentence}", flush=True)
                case Saved():
                    print(f"step {event.step}: saved {event.folder}", flush=True)
                case Finished():
                    print(f"nothing to resume: all {event.step} steps are done", flush=True)
                case Diverged():
                    raise LabError(event.sentence)
                case Interrupted():
                    raise LabError(
                        f"interrupted after step {event.step} of {total}; the same command with "
                        "--resume continues from there."
                    )
