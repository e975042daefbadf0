"""The events of a fine-tuning run, in the order in which they happen."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from torch import device

from llmlab.finetune.observe.layers import StepReport
from llmlab.finetune.observe.memory import Memory
from llmlab.finetune.observe.quantisation import QuantisationReport
from llmlab.gpt.alarms import Alarm
from llmlab.gpt.speed import memory_bytes
from llmlab.gpt.training import Point
from llmlab.runs.control import Steered


@dataclass(frozen=True)
class Grades:
    """What a model knows of the new task, and of what it knew before.

    Attributes:
        accuracy: exact answers, as a share of the `n_items` test items; None if there are none.
        suites: share of each skill's items; empty for bases other than the book's own.
        text_loss: loss on ordinary text in nats per token; for Hugging Face models alone.
    """

    accuracy: float | None
    loss: float | None
    n_items: int
    suites: Mapping[str, float] = field(default_factory=dict)
    text_loss: float | None = None


@dataclass(frozen=True)
class Prepared:
    """The model is ready for training.

    Attributes:
        trained: number of trainable parameters.
        predicted: None where the model cannot be run on tensors without numbers.
        quantisation: what quantisation changed; None without it.
    """

    trained: int
    predicted: Memory | None
    measured: Memory
    quantisation: QuantisationReport | None
    before: Grades


@dataclass(frozen=True)
class Step:
    """An optimizer step; `report` says what it did to each layer, if that was measured."""

    point: Point
    report: StepReport | None


@dataclass(frozen=True)
class Validation:
    """Loss in nats per token and accuracy on the first test items, after `step` steps."""

    step: int
    loss: float
    accuracy: float


@dataclass(frozen=True)
class Saved:
    """What was learned is in `folder`."""

    step: int
    folder: str


@dataclass(frozen=True)
class Diverged:
    """The loss, or a weight after the last step, became NaN or infinite.

    Attributes:
        step: the step that was not taken.
        kept: whether the weights before it are finite and saved.
    """

    step: int
    learning_rate: float
    loss: float
    gradient_norm: float
    kept: bool = False


@dataclass(frozen=True)
class Interrupted:
    """Ctrl-C, or a request, stopped the run after `step` steps."""

    step: int


@dataclass(frozen=True)
class Finished:
    """All steps are done.

    Attributes:
        seconds: training time, with validation.
        forgetting: accuracy before minus after, mean over the skills; None if it has none.
    """

    before: Grades
    after: Grades
    seconds: float

    @property
    def forgetting(self) -> float | None:
        lost = [self.before.suites[name] - after for name, after in self.after.suites.items()]
        return sum(lost) / len(lost) if lost else None


Event = Prepared | Step | Validation | Alarm | Saved | Steered | Diverged | Interrupted | Finished


def event_name(event: Event) -> str:
    """The event's name in the log."""
    return "point" if isinstance(event, Step) else type(event).__name__.lower()


def event_fields(event: Event, on: device) -> dict[str, object]:
    """What the log says about an event; a step has its point, speed, memory in use and layers."""
    if not isinstance(event, Step):
        return asdict(event)
    speed = event.point.tokens / event.point.seconds
    layers = asdict(event.report) if event.report else {}
    return {**asdict(event.point), "tokens_per_second": speed, "memory": memory_bytes(on), **layers}
