"""What happens in a fine-tuning run, one event after another."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from llmlab.finetune.observe.layers import StepReport
from llmlab.finetune.observe.memory import Memory
from llmlab.finetune.observe.quantisation import QuantisationReport
from llmlab.gpt.alarms import Alarm
from llmlab.gpt.session import Saved
from llmlab.gpt.training import Point


@dataclass(frozen=True)
class Grades:
    """Exact answers: on the test items, and on each skill of the base model of the book.

    Attributes:
        accuracy: share of the `n_items` test items; None where there are none.
        suites: share of each skill's items; empty for another base.
    """

    accuracy: float | None
    loss: float | None
    n_items: int
    suites: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Prepared:
    """The model is ready to be trained.

    Attributes:
        trained: parameters that are trained.
        quantisation: what the quantiser did; None where the base was not quantised.
    """

    trained: int
    predicted: Memory
    measured: Memory
    quantisation: QuantisationReport | None
    before: Grades


@dataclass(frozen=True)
class Step:
    """One step, and what it did to each layer where the instruments looked."""

    point: Point
    report: StepReport | None


@dataclass(frozen=True)
class Validation:
    """Loss in nats per token and exact answers on the first test items after so many steps."""

    step: int
    loss: float
    accuracy: float


@dataclass(frozen=True)
class Diverged:
    """The loss left the finite numbers, and the step was not taken; or the last step's weights did.

    Attributes:
        step: that was not taken.
        kept: whether the weights before it are finite and saved.
    """

    step: int
    learning_rate: float
    loss: float
    gradient_norm: float
    kept: bool = False


@dataclass(frozen=True)
class Interrupted:
    """The user stopped the run after `step` steps."""

    step: int


@dataclass(frozen=True)
class Finished:
    """All steps are done.

    Attributes:
        seconds: that training took, with its looks at the test items.
        forgetting: mean over the skills of accuracy before minus after; None for another base.
    """

    before: Grades
    after: Grades
    seconds: float

    @property
    def forgetting(self) -> float | None:
        lost = [self.before.suites[name] - after for name, after in self.after.suites.items()]
        return sum(lost) / len(lost) if lost else None


Event = Prepared | Step | Validation | Alarm | Saved | Diverged | Interrupted | Finished


def kind_of(event: Event) -> str:
    return "point" if isinstance(event, Step) else type(event).__name__.lower()


def fields_of(event: Event) -> dict[str, object]:
    """Of a step those of its point, as `llmlab train` logs it, its speed and its layers."""
    if not isinstance(event, Step):
        return asdict(event)
    speed = event.point.tokens / event.point.seconds
    layers = asdict(event.report) if event.report else {}
    return {**asdict(event.point), "tokens_per_second": speed, **layers}
