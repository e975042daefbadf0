"""Other names of steps and losses."""

import re
from collections.abc import Collection, Mapping

STEP_NAMES = (
    *("step", "steps", "global_step", "current_steps", "trainer/global_step"),
    *("train/global_step", "train/step", "_step"),
    *("iteration", "iterations", "iter", "num_updates", "update", "epoch", "epochs"),
)
"""In order of preference: epochs are the steps only where there is nothing better."""

NAMES = {
    "loss": (
        *("loss", "train_loss", "training_loss", "loss_train", "loss_training"),
        *("train_loss_step", "loss_step", "batch_loss", "train_batch_loss", "loss_train_total"),
        *("lm_loss", "reduced_train_loss", "ce_loss", "cross_entropy_loss", "nll_loss"),
        *("train_ce_loss", "train_crossentropyloss", "train_cross_entropy_loss"),
        *("epoch_loss", "train_epoch_loss", "train_loss_epoch", "loss_epoch"),
    ),
    "validation_loss": (
        *("validation_loss", "val_loss", "valid_loss", "eval_loss", "dev_loss"),
        *("loss_validation", "loss_val", "loss_valid", "loss_eval", "lm_loss_validation"),
        *("val_loss_epoch", "validation_epoch_loss", "val_epoch_loss", "valid_loss_epoch"),
        *("val_loss_step", "epoch_val_loss", "test_loss", "eval_crossentropyloss"),
    ),
    "gradient_norm": (
        *("gradient_norm", "grad_norm", "train_grad_norm", "train_gradient_norm"),
        *("grad_norm_total", "total_grad_norm", "global_grad_norm", "gnorm", "train_gnorm"),
        *("grad_2_0_norm_total", "grad_norm_step"),
    ),
}
"""Other names of the curves that we know, best first; any other name stays as it is."""

ALIKE = {
    "validation_loss": re.compile("(eval|val|valid|validation|dev|test)_.+_loss"),
    "loss": re.compile("(train|training)_.+_loss"),
}
"""Fallbacks for these names if no better one is present: the loss on one of several data sets."""

WORDS = {
    "loss": "training loss",
    "validation_loss": "validation loss",
    "gradient_norm": "gradient norm",
}


def canonical(name: str) -> str:
    """The name that a curve has here."""
    rank = _rank(name)
    return rank[0] if rank else name


def chosen(names: Collection[str]) -> Mapping[str, str]:
    """The best of these names for each known curve."""
    ranked = sorted(
        (*rank[1:], name != rank[0], place, rank[0], name)
        for place, name in enumerate(names)
        if (rank := _rank(name))
    )
    best: dict[str, str] = {}
    for *_, known, name in ranked:
        best.setdefault(known, name)
    return best


def is_exact(name: str) -> bool:
    """Whether this is a usual name of a known curve, not just a similar one."""
    rank = _rank(name)
    return rank is not None and rank[1] < len(NAMES[rank[0]])


def _rank(name: str) -> tuple[str, int] | None:
    """The curve that this name stands for, and how good a name it is; 0 is best."""
    own = name.rsplit(" - ", 1)[-1]  # Weights & Biases writes the run before it
    plain = re.sub(r"[\s/.:-]+", "_", own.strip().lower())
    for known, others in NAMES.items():
        if plain in others:
            return known, others.index(plain)
    for known, pattern in ALIKE.items():
        if pattern.fullmatch(plain):
            return known, len(NAMES[known])
    return None
