"""What every pretraining experiment measures: the columns and how a run fills them.

Imports no torch, so that the catalogue of experiments loads quickly.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llmlab.method.declare.experiment import Metric, Status

if TYPE_CHECKING:
    from llmlab.gpt.pretraining import Event, Pretraining, Validation
    from llmlab.gpt.training import Point

VALIDATION_LOSS = Metric(
    "validation_loss",
    "Loss on text that was not trained on, at the end.",
    "nats/token",
    "lower",
    tolerance=0.1,
)
BITS_PER_BYTE = Metric(
    "bits_per_byte",
    "The same loss per byte of text, which does not depend on the tokenizer.",
    "bits/byte",
    "lower",
    tolerance=0.1,
)
PARAMETERS = Metric("parameters", "Parameters, the shared embedding counted once.", "parameters")
METRICS = (VALIDATION_LOSS, BITS_PER_BYTE, PARAMETERS)

CURVES = (
    Metric("loss", "Loss of one batch.", "nats/token", "lower"),
    Metric("validation_loss", "Loss on text that was not trained on.", "nats/token", "lower"),
    Metric("gradient_norm", "Norm of the gradient before clipping.", "nats/token"),
)


@dataclass
class Log:
    """What became of a run, gathered while its events pass by.

    Attributes:
        every: steps between two points that are kept; the last one always is.
        tokens, seconds: trained on, and the time that took, validation apart.
        times: (step, seconds so far).
        diverged: whether the loss became NaN or infinite.
    """

    every: int
    losses: list[tuple[int, float]] = field(default_factory=list)
    gradient_norms: list[tuple[int, float]] = field(default_factory=list)
    validations: list["Validation"] = field(default_factory=list)
    times: list[tuple[int, float]] = field(default_factory=list)
    tokens: int = 0
    seconds: float = 0.0
    diverged: bool = False

    def watch(self, run: "Pretraining") -> Iterator["Event"]:
        """The events of a run, each noted on its way."""
        from llmlab.gpt.pretraining import Validation
        from llmlab.gpt.training import Point

        for event in run.events():
            match event:
                case Point():
                    self._note(event, last=event.step == run.recipe.train.steps - 1)
                case Validation():
                    self.validations.append(event)
            yield event

    def through(self, run: "Pretraining") -> "Log":
        """This log after all events of a run."""
        for _ in self.watch(run):
            pass
        return self

    @property
    def curves(self) -> dict[str, list[tuple[int, float]]]:
        """The points of `CURVES`."""
        return {
            "loss": self.losses,
            "validation_loss": [(seen.step, seen.loss) for seen in self.validations],
            "gradient_norm": self.gradient_norms,
        }

    def metrics(self, n_parameters: int) -> dict[str, float]:
        """The values of `METRICS`; NaN where the run diverged."""
        last = self.validations[-1]
        return {
            "validation_loss": math.nan if self.diverged else last.loss,
            "bits_per_byte": math.nan if self.diverged else last.bits_per_byte,
            "parameters": n_parameters,
        }

    @property
    def status(self) -> Status:
        return "diverged" if self.diverged else "completed"

    def _note(self, point: "Point", *, last: bool) -> None:
        self.tokens += point.tokens
        self.seconds += point.seconds
        if not point.is_finite:
            self.diverged = True
        elif point.step % self.every == 0 or last:
            self.losses.append((point.step, point.loss))
            self.gradient_norms.append((point.step, point.gradient_norm))
            self.times.append((point.step, self.seconds))
