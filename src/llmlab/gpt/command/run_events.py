"""What happens to a run in its folder, beside the events of training itself."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Saved:
    """A checkpoint was written."""

    step: int
    folder: str


@dataclass(frozen=True)
class Diverged:
    """The loss became NaN or infinite.

    Attributes:
        step: the step not taken, since the weights before it give no finite loss.
        last_good_step: the last step whose weights do; these are saved. None if no step's do.
    """

    step: int
    last_good_step: int | None
    learning_rate: float
    loss: float
    gradient_norm: float

    @property
    def sentence(self) -> str:
        good = f"last good step: {self.last_good_step}; the state after it is saved"
        return (
            f"training stopped at step {self.step}, where the loss is {self.loss:.3g} and the "
            f"gradient norm {self.gradient_norm:.3g} at the learning rate {self.learning_rate:.3g} "
            f"({'no step was good' if self.last_good_step is None else good}): start again with a "
            "lower --learning-rate and another --out."
        )


@dataclass(frozen=True)
class Interrupted:
    """The user stopped the run after `step` steps; its state is saved."""

    step: int


@dataclass(frozen=True)
class Finished:
    """There is nothing to resume: all `step` steps are done."""

    step: int
