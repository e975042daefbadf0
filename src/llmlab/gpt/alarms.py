"""Early warnings during training: a loss that jumps, a model that starts to overfit."""

import statistics
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Alarm:
    """Something to look at; training continues."""

    step: int
    kind: Literal["spike", "over-fitting"]
    message: str


@dataclass
class SpikeAlarm:
    """Rings when a loss is far above those before it.

    Far is `threshold` robust standard deviations (1.4826 times the median absolute deviation) and
    at least `smallest` nats above the median of the last `window` losses. It then stays silent for
    as many steps, so that one spike rings once.
    """

    window: int = 50
    threshold: float = 8.0
    smallest: float = 0.3
    _recent: deque[float] = field(default_factory=deque, repr=False)
    _silent_until: int = field(default=0, repr=False)

    def state_dict(self) -> dict[str, object]:
        """What was seen, as a checkpoint keeps it."""
        return {"recent": list(self._recent), "silent_until": self._silent_until}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        self._recent, self._silent_until = deque(state["recent"]), state["silent_until"]

    def see(self, step: int, loss: float) -> Alarm | None:
        """Count the loss of a step; an alarm if it stands out."""
        alarm = self._judge(step, loss) if len(self._recent) == self.window else None
        self._recent.append(loss)
        if len(self._recent) > self.window:
            self._recent.popleft()
        if alarm:
            self._silent_until = step + self.window
        return alarm

    def _judge(self, step: int, loss: float) -> Alarm | None:
        usual = statistics.median(self._recent)
        spread = 1.4826 * statistics.median(abs(other - usual) for other in self._recent)
        if step < self._silent_until or loss - usual < max(self.threshold * spread, self.smallest):
            return None
        return Alarm(
            step,
            "spike",
            f"the loss jumped to {loss:.2f} from about {usual:.2f}: a lower learning rate, a "
            "longer warm-up or stronger clipping avoids that.",
        )


@dataclass
class OverfittingAlarm:
    """Rings once, when the validation loss has stood above its minimum `patience` times in a row.

    Above means by more than the share `margin` of the minimum: the curve of a model that learns
    wobbles, too.
    """

    patience: int = 3
    margin: float = 0.01
    _best: tuple[float, int] | None = field(default=None, repr=False)
    _above: int = field(default=0, repr=False)
    _seen: int = field(default=-1, repr=False)

    def state_dict(self) -> dict[str, object]:
        """What was seen, as a checkpoint keeps it."""
        return {"best": self._best, "above": self._above, "seen": self._seen}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        self._best, self._above, self._seen = state["best"], state["above"], state["seen"]

    def see(self, step: int, validation_loss: float) -> Alarm | None:
        """Count a validation, once for each step; an alarm if it was one too many above."""
        if step <= self._seen:
            return None
        self._seen = step
        if self._best is None or validation_loss < self._best[0]:
            self._best, self._above = (validation_loss, step), 0
            return None
        best, at = self._best
        self._above = self._above + 1 if validation_loss > (1 + self.margin) * best else 0
        if self._above != self.patience:
            return None
        return Alarm(
            step,
            "over-fitting",
            f"the validation loss has risen to {validation_loss:.3f} from its minimum of "
            f"{best:.3f} at step {at}: more text, fewer epochs or dropout would help.",
        )
