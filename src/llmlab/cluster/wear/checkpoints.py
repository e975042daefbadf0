"""How often to save: closed forms for the best interval and for what is left of the time.

Times in seconds. The closed forms assume interruptions that come independently at a constant rate.
"""

import math
from dataclasses import dataclass

CHECKPOINT_BYTES = 14
"""Of a parameter: a weight in 16 bits, a master weight and two moments in 32 bits."""
STORAGE_PER_NODE = 1e9
"""Bytes/s that a node of eight writes: Meta's Tectonic sustains 2 TB/s for its 16,384 GPUs, about
1 GB/s a node (arXiv:2407.21783, section 3.3.1)."""
RESTART = 600.0
"""Seconds from an interruption to the first new step: found, replaced, loaded, warmed up. An
assumption: the Llama 3 paper does not print it."""


@dataclass(frozen=True)
class Wear:
    """What a run suffers.

    Attributes:
        between: mean seconds between interruptions.
        save: seconds that training stands still for a checkpoint.
        restart: seconds from an interruption to the first new step.
    """

    between: float
    save: float
    restart: float


def young(wear: Wear) -> float:
    """The interval between checkpoints by Young 1974, "A first order approximation to the optimum
    checkpoint interval"."""
    return math.sqrt(2 * wear.save * wear.between)


def daly(wear: Wear) -> float:
    """The interval by Daly 2006, "A higher order estimate of the optimum checkpoint interval for
    restart dumps"."""
    if wear.save >= 2 * wear.between:
        return wear.between
    ratio = wear.save / (2 * wear.between)
    return young(wear) * (1 + math.sqrt(ratio) / 3 + ratio / 9) - wear.save


def goodput(wear: Wear, interval: float) -> float:
    """Share of the time that goes into work that stays, by Daly's complete model (2006)."""
    cycle = math.expm1((interval + wear.save) / wear.between)
    return interval / (wear.between * math.exp(wear.restart / wear.between) * cycle)


def save_seconds(parameters: float, gpus: int) -> float:
    """Seconds to write the state of so many parameters from all nodes at once."""
    nodes = max(gpus / 8, 1.0)
    return CHECKPOINT_BYTES * parameters / (nodes * STORAGE_PER_NODE)
