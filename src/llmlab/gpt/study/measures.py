"""What every pretraining experiment measures: the columns, and how a run fills them.

Imports no torch, so that the catalogue of experiments loads quickly.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llmlab.method.declare.experiment import Metric, Outcome, Status, Trial
from llmlab.method.declare.sweep import Group, Sweep

if TYPE_CHECKING:
    from llmlab.gpt.pretraining import Event, Pretraining, Validation
    from llmlab.gpt.study.trials import Study
    from llmlab.gpt.text.encoded_corpus import EncodedCorpus
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
    """The outcome of a run, collected from its events.

    Attributes:
        steps: of the whole run.
        every: steps between two kept points; the last one is always kept.
        tokens, seconds: tokens trained on, and the time without validation.
        times: (step, seconds so far).
        diverged: whether the loss became NaN or infinite.
    """

    steps: int
    every: int
    losses: list[tuple[int, float]] = field(default_factory=list)
    gradient_norms: list[tuple[int, float]] = field(default_factory=list)
    validations: list["Validation"] = field(default_factory=list)
    times: list[tuple[int, float]] = field(default_factory=list)
    tokens: int = 0
    seconds: float = 0.0
    diverged: bool = False

    def see(self, event: "Event") -> None:
        """Note one event of the run."""
        from llmlab.gpt.pretraining import Validation
        from llmlab.gpt.training import Point

        match event:
            case Point():
                self._note(event, last=event.step == self.steps - 1)
            case Validation():
                self.validations.append(event)

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


Curves = Mapping[str, Sequence[tuple[int, float]]]
Views = Mapping[str, dict]


class Observer:
    """What an experiment sees of a run besides its losses: nothing by default.

    It is asked for its metrics, curves and views when the run has ended.
    """

    def __init__(self, run: "Pretraining", encoded: "EncodedCorpus", log: Log) -> None:
        self.run = run
        self.encoded = encoded
        self.log = log

    @property
    def is_shown(self) -> bool:
        """Whether the book's explorers show this run: that of the first seed."""
        return self.run.recipe.seed == 0

    def see(self, event: "Event") -> None:
        """Look at the model as it is after this event."""

    def metrics(self) -> Mapping[str, float]:
        """Values of the metrics that the experiment adds to `METRICS`."""
        return {}

    def curves(self) -> Curves:
        """Points of the curves that the experiment adds to `CURVES`."""
        return {}

    def views(self) -> Views:
        """What the explorers show."""
        return {}


def together(sweep: Sweep, trials: Sequence[Trial]) -> Iterator[Group]:
    """Train the models of many trials at once, step by step."""
    from llmlab.gpt.study.stacked import run_together

    return run_together(sweep, trials)


def pretraining_sweep(
    describe: "Callable[[Trial], Study]",
    *,
    metrics: Sequence[Metric] = (),
    curves: Sequence[Metric] = (),
    **declaration: object,
) -> Sweep:
    """An experiment each of whose trials pretrains one model; `describe` says how.

    Args:
        metrics, curves: those that the study has besides `METRICS` and `CURVES`.
        declaration: the other fields of an `Experiment`.
    """

    def run(trial: Trial) -> Outcome:
        return describe(trial).run()

    return Sweep(
        metrics=(*METRICS, *metrics),
        curves=(*CURVES, *curves),
        run=run,
        describe=describe,
        together=together,
        **declaration,
    )
