"""Checks that a checkpoint's training state fits the run that continues from it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from llmlab.gpt.saved.checkpoints import TRAINING, Checkpoint
from llmlab.method.documents import in_one_line
from llmlab.method.errors import LabError

MOMENTS = ("exp_avg", "exp_avg_sq")
"""What AdamW keeps for each parameter, in its shape."""


@contextmanager
def resuming_from(checkpoint: Checkpoint | None) -> Iterator[None]:
    """Say in one sentence that the checkpoint does not fit the run.

    Raises:
        LabError: the block could not continue from it.
    """
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        if checkpoint is None:
            raise
        raise LabError(
            f"{checkpoint.folder / TRAINING} does not fit the run ({in_one_line(error)}): "
            "continue from another checkpoint."
        ) from error


def require_fitting_optimizer(optimizer: torch.optim.Optimizer) -> None:
    """Check that an optimizer can step with the state that it was given.

    Raises:
        ValueError: a moment is missing or has another shape than its parameter, or a setting has
            another type.
    """
    for parameter, state in optimizer.state.items():
        for name in MOMENTS:
            moment = state.get(name)
            if not isinstance(moment, Tensor) or moment.shape != parameter.shape:
                found = [*moment.shape] if isinstance(moment, Tensor) else "missing"
                raise ValueError(f"{name} is {found} and not {[*parameter.shape]}")
    for group in optimizer.param_groups:
        for name, usual in optimizer.defaults.items():
            if type(group.get(name)) is not type(usual):
                raise ValueError(f"{name} is {group.get(name)!r} and not like {usual!r}")
