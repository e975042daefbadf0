"""Pretraining: a GPT learns to predict the next token of a text.

A run is a stream of events. The command line shows and logs them, an experiment turns them into
rows, and the model can be inspected between two events.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from llmlab.gpt.alarms import Alarm, OverfittingAlarm, SpikeAlarm
from llmlab.gpt.distributed import Workers
from llmlab.gpt.model import GPT, GPTConfig, next_token_loss
from llmlab.gpt.saved.checkpoints import Checkpoint, random_state, set_random_state
from llmlab.gpt.text.token_dataset import TokenBatches, TokenFile, TokenSpan
from llmlab.gpt.training import Batch, Point, Precision, TrainConfig, Trainer


@dataclass(frozen=True)
class PretrainingRecipe:
    """Everything that decides a run, except its text.

    Attributes:
        batch_size: sequences per step, over all processes.
        seed: fixes the weights, the order of the text and dropout.
        validation_share: share of the tokens, at the end of the text, for validation.
        validate_every: steps between two validations.
        validation_tokens: tokens of one validation, the first of their part; None for all.
        compiled: whether `torch.compile` translates the model first.
    """

    shape: GPTConfig
    train: TrainConfig
    batch_size: int
    seed: int
    validation_share: float = 0.1
    validate_every: int = 100
    validation_tokens: int | None = 2**15
    compiled: bool = False


@dataclass(frozen=True)
class Validation:
    """The loss on unseen text after `step` steps: nats per token, and bits per byte of text."""

    step: int
    loss: float
    bits_per_byte: float


Event = Point | Validation | Alarm


class Pretraining:
    """One run; `events` starts it and steps through it.

    Attributes:
        model: the GPT in training.
        trainer: its optimizer and step.
        batches: the training text.
        validation: the text to validate on.
    """

    def __init__(
        self,
        recipe: PretrainingRecipe,
        tokens: TokenFile,
        workers: Workers | None = None,
        resumed: Checkpoint | None = None,
    ) -> None:
        """Make an untrained model, or the one of a checkpoint, and cut the text.

        Raises:
            LabError: a part of the text is shorter than the context.
        """
        self.recipe = recipe
        self._spikes, self._overfitting = SpikeAlarm(), OverfittingAlarm()
        self.workers = workers or Workers.alone()
        training, self.validation = tokens.split(recipe.validation_share)
        context = recipe.shape.context
        whole = TokenBatches(training, context, recipe.batch_size, recipe.seed)
        TokenBatches(self.validation, context, 1, 0)  # raises if it is too short
        self.batches = whole.shard(self.workers.rank, self.workers.world)
        torch.manual_seed(recipe.seed)
        self.model = GPT(recipe.shape).to(self.workers.device)
        self.workers.seed_dropout(recipe.seed)
        if resumed:
            self.model.load_state_dict(resumed.weights())
        self._forward = self.workers.spread(self.model)
        if recipe.compiled:
            self._forward = torch.compile(self._forward)
        self.trainer = Trainer(
            self.model,
            recipe.train,
            forward=self._forward,
            without_sync=self.workers.without_sync(self._forward),
            mean=self.workers.mean,
        )
        if resumed:
            self._resume(resumed.training())

    def state(self) -> tuple[dict[str, Tensor], dict[str, object]]:
        """Weights, and all else that a checkpoint holds; every process must ask for them."""
        alarms = {"spikes": self._spikes, "overfitting": self._overfitting}
        random, *of_others = self.workers.each(random_state())
        training = {
            **self.trainer.state_dict(),
            "random": random,
            "random_of_others": of_others,
            "alarms": {name: alarm.state_dict() for name, alarm in alarms.items()},
        }
        weights = self.workers.gathered(self.model.state_dict())
        return weights, self.workers.gathered(training)

    def events(self, points: Iterator[Point] | None = None) -> Iterator[Event]:
        """Train to the end, or to the first point that is not finite, which is then the last event.

        A validation comes first, after every `validate_every` steps, and last; each of the points
        between them stands for one step, already taken. An alarm comes before what set it off, so
        that a state that is saved after a point or a validation has counted it.

        Args:
            points: takes the steps of the trainer in its place.
        """
        if self._is_validated():
            yield from self._validation()
        for point in points or self.trainer.points(self.stream()):
            if point.is_finite and (alarm := self._spikes.see(point.step, point.loss)):
                yield alarm
            yield point
            if point.is_finite and self._is_validated():
                yield from self._validation()

    def stream(self) -> Iterator[Batch]:
        """The batches from the next step on."""
        return self.batches.stream(self.trainer.step, self.workers.device)

    def _validation(self) -> Iterator[Validation | Alarm]:
        found = self.validate()
        if alarm := self._overfitting.see(found.step, found.loss):
            yield alarm
        yield found

    def validate(self) -> Validation:
        """The loss on the validation part (its first `validation_tokens`) now."""
        loss = self._loss_on(self.validation)
        return Validation(self.trainer.step, loss, self.validation.bits_per_byte(loss))

    def training_loss(self) -> float:
        """The loss on the training part now, measured as on the validation part."""
        return self._loss_on(self.batches.span)

    def _is_validated(self) -> bool:
        """Whether there is a validation after the steps done."""
        done = self.trainer.step
        return done % self.recipe.validate_every == 0 or done == self.recipe.train.steps

    def _resume(self, training: dict[str, object]) -> None:
        optimizer = self.workers.scattered(training["optimizer"], self.trainer.optimizer)
        self.trainer.load_state_dict({**training, "optimizer": optimizer})
        states = [training["random"], *training.get("random_of_others", ())]
        if self.workers.rank < len(states):
            set_random_state(states[self.workers.rank])
        if alarms := training.get("alarms"):  # none in checkpoints of earlier versions
            self._spikes.load_state_dict(alarms["spikes"])
            self._overfitting.load_state_dict(alarms["overfitting"])

    def _loss_on(self, span: TokenSpan) -> float:
        return mean_loss(
            self._forward,
            span,
            self.recipe.shape.context,
            self.workers.device,
            n_tokens=self.recipe.validation_tokens,
            precision=self.recipe.train.precision,
        )


@torch.no_grad()
def mean_loss(
    model: torch.nn.Module,
    span: TokenSpan,
    context: int,
    device: torch.device,
    *,
    n_tokens: int | None = None,
    precision: Precision = "float32",
    batch_size: int = 32,
) -> float:
    """Mean loss in nats per token over windows of `context` tokens that do not overlap.

    Args:
        n_tokens: only the first so many tokens (rounded down to whole windows, at least one).
    """
    model.eval()
    longest = min(span.n_tokens - 1, n_tokens or span.n_tokens)
    n_windows = max(1, longest // context)
    ids_N = torch.from_numpy(span.ids[: n_windows * context + 1].astype("int64"))
    inputs_NT, targets_NT = ids_N[:-1].view(-1, context), ids_N[1:].view(-1, context)
    total = 0.0
    for inputs_BT, targets_BT in zip(
        inputs_NT.split(batch_size), targets_NT.split(batch_size), strict=True
    ):
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            logits_BTV = model(inputs_BT.to(device))
        total += next_token_loss(logits_BTV, targets_BT.to(device)).item() * len(inputs_BT)
    return total / n_windows
