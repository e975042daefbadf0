"""Fine-tuning runs with their training and validation losses, step by step."""

from dataclasses import dataclass

from torch import nn

from llmlab.finetune.curves.curve import Curve
from llmlab.finetune.model.base_model import load_base_model
from llmlab.finetune.study.tuning import Tuning
from llmlab.finetune.tasks.batches import encode, epochs
from llmlab.gpt.training import Point, Trainer, best_device, evaluate

FIRST_STEPS = 10
"""The validation loss is measured after each of these first steps, where it changes most."""


@dataclass(frozen=True)
class LossCurves:
    """The curves of one run.

    Attributes:
        training: the loss of every batch; the last value is not finite where the run diverged.
        validation: after so many steps, the first value before training.
        gradient_norm: before clipping, of every batch.
        tokens: input tokens seen, padding included.
    """

    training: Curve
    validation: Curve
    gradient_norm: Curve
    tokens: int


def run_with_curves(tuning: Tuning, every: int) -> tuple[nn.Module, LossCurves]:
    """Train, and measure the validation loss after each of the first steps, then `every` steps."""
    device = best_device()
    model = tuning.method.adapt(load_base_model(tuning.base, device), tuning.seed).to(device)
    held_out = encode(tuning.task.validation).to(device)

    def validation_loss() -> float:
        return evaluate(model, held_out.tokens_NT, held_out.targets_NT).loss

    batches = epochs(encode(tuning.task.train).to(device), tuning.batch_size, tuning.seed)
    points: list[Point] = []
    validation = [(0, validation_loss())]
    for point in Trainer(model, tuning.config).points(batches):
        points.append(point)
        done = point.step + 1
        if done <= FIRST_STEPS or done % every == 0 or done == tuning.config.steps:
            validation.append((done, validation_loss()))
    return model, LossCurves(
        training=Curve.of((point.step, point.loss) for point in points),
        validation=Curve.of(validation),
        gradient_norm=Curve.of((point.step, point.gradient_norm) for point in points),
        tokens=sum(point.tokens for point in points),
    )
