"""Events of a run as data: the world produces them, formats and the screen show them.

`at` is in simulated seconds since the start of the show.
"""

from dataclasses import dataclass
from typing import Literal

Level = Literal["INFO", "WARNING", "ERROR"]


@dataclass(frozen=True)
class Message:
    """A line that some rank logs; `source` is the logger's name."""

    at: float
    text: str
    level: Level = "INFO"
    rank: int = 0
    source: str = "trainer"


@dataclass(frozen=True)
class RunStart:
    at: float
    name: str
    model: str
    parameters: int
    gpus: int
    gpu: str
    layout: str
    steps: int
    global_batch: int
    seq_len: int


@dataclass(frozen=True)
class Step:
    """One optimizer step.

    Attributes:
        seconds: duration of the step.
        tokens: tokens trained on so far.
        left_s: seconds to the end of the run at the predicted speed.
    """

    at: float
    step: int
    steps: int
    loss: float
    grad_norm: float
    learning_rate: float
    seconds: float
    tokens_per_s: float
    tokens_per_s_per_gpu: float
    mfu: float
    tokens: int
    left_s: float


@dataclass(frozen=True)
class Validation:
    at: float
    step: int
    loss: float
    seconds: float


@dataclass(frozen=True)
class File:
    """A written file: its name and size in bytes."""

    name: str
    bytes: int


@dataclass(frozen=True)
class Saved:
    """A checkpoint or an export."""

    at: float
    step: int
    folder: str
    files: tuple[File, ...]
    seconds: float
    is_export: bool = False


@dataclass(frozen=True)
class GpuRow:
    """The state of one GPU, or the mean of several.

    Attributes:
        utilisation: percent.
        memory_gb, temperature_c, power_w: as `nvidia-smi` shows them.
    """

    node: int
    gpu: int
    utilisation: float
    memory_gb: float
    temperature_c: float
    power_w: float


@dataclass(frozen=True)
class GpuTable:
    """The GPUs of the first two nodes, and the mean of all others."""

    at: float
    model: str
    memory_gb: float
    rows: tuple[GpuRow, ...]
    others: int
    rest: GpuRow | None


@dataclass(frozen=True)
class RunEnd:
    """The summary of a run; `goodput` is the share of time in steps that were not lost."""

    at: float
    name: str
    steps: int
    loss: float
    validation_loss: float | None
    tokens: int
    seconds: float
    interruptions: int
    goodput: float


Event = Message | RunStart | Step | Validation | Saved | GpuTable | RunEnd
