"""The scenario of a show: model, cluster, and failure rates."""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from llmlab.cluster.physics.coefficients import calibrated
from llmlab.cluster.physics.hardware import accelerator
from llmlab.cluster.physics.plan import Plan
from llmlab.cluster.physics.planfile import (
    BITS_OF,
    Count,
    CountOrZero,
    Strict,
    parsed,
    read_table,
)
from llmlab.cluster.physics.search import search
from llmlab.cluster.physics.shapes import shape_named
from llmlab.cluster.wear.causes import mean_time_between
from llmlab.method.errors import LabError

NAMES = (
    "Llama 3.1 8B",
    "Llama 3.1 70B",
    "Mixtral 8x7B",
    "GPT-3 175B",
    "Llama 2 13B",
    "Qwen3 30B A3B",
)
"""Models to draw from if none is named."""
PATIENCE = 2.0
"""Longest mean time between interruptions, in simulated hours."""
SHORTEST = 1e-5
"""Shortest mean time between interruptions, in simulated hours; within far less no run begins."""
MOST_PER_HOUR = 1e6
"""Most events of a kind per simulated hour; of more, none would be told from the next."""
NICKNAMES = (
    "overfit-final-v2-really-final",
    "stochastic-parrot-supreme",
    "loss-goes-brrr",
    "attention-deficit",
    "gradient-descent-into-madness",
    "one-more-epoch",
    "no-free-lunch-large",
    "vanishing-point",
)
"""Funny names of runs, used besides plain ones."""


class Scenario(Strict):
    """The fields of a scenario file; all have a default.

    Attributes:
        model: a public model or a number of parameters; if None, drawn for each run.
        steps: steps per run; None for Chinchilla's 20 tokens per parameter.
        global_batch: sequences per step; None for four per GPU.
        checkpoint_every: steps between checkpoints; None for Daly's interval.
        hours_between: mean simulated hours between interruptions; None for the published rate for
            this number of GPUs, capped at `PATIENCE` hours to keep the show lively.
        warnings_per_hour: corrected memory errors, slow ranks and hot GPUs per simulated hour.
        spikes_per_hour: jumps of the loss per simulated hour, each rolled back.
    """

    model: str | None = None
    gpu: str = "H100"
    gpus: int = Field(default=64, gt=0, le=131072)
    seq_len: Count = 8192
    global_batch: Count | None = None
    precision: Literal["bf16", "fp8"] = "bf16"
    steps: Count | None = None
    learning_rate: float = Field(default=3e-4, gt=0, le=1)
    warmup_steps: CountOrZero = 2000
    validate_every: Count = 250
    checkpoint_every: Count | None = None
    log_every: Count = 1
    gpus_every: Count = 20
    hours_between: float | None = Field(default=None, ge=SHORTEST)
    warnings_per_hour: float = Field(default=20.0, ge=0, le=MOST_PER_HOUR)
    spikes_per_hour: float = Field(default=2.0, ge=0, le=MOST_PER_HOUR)

    def seconds_between(self, gpus: int) -> float:
        """Mean simulated seconds between interruptions of a run on `gpus` GPUs."""
        published = mean_time_between(gpus) / 3600
        return 3600 * (self.hours_between or min(published, PATIENCE))


@dataclass(frozen=True)
class Cast:
    """One run: its name, plan and number of steps."""

    name: str
    plan: Plan
    steps: int


def read_scenario(path: Path) -> Scenario:
    """Read a scenario from a TOML or JSON file.

    Raises:
        LabError: the file cannot be read, or a field is unknown or wrong.
    """
    return parsed(Scenario, read_table(path), str(path))


def cast(scenario: Scenario, rng: random.Random) -> Cast:
    """Draw the model and name of one run, and choose its fastest layout.

    Raises:
        LabError: the model or GPU is unknown, or does not fit so many GPUs.
    """
    plan = _plan(scenario, scenario.model) if scenario.model else _drawn_plan(scenario, rng)
    shape = plan.shape
    chinchilla = max(1, round(20 * shape.active_parameters / plan.tokens))
    dull = f"{_slug(shape.name)}-{rng.choice(('pretrain', 'base', 'ablation'))}"
    nickname = f"{rng.choice(NICKNAMES)}-{shape.name.split()[-1].lower()}"
    name = f"{rng.choice((dull, nickname))}-{rng.randrange(16**6):06x}"
    return Cast(name, plan, scenario.steps or chinchilla)


def _drawn_plan(scenario: Scenario, rng: random.Random) -> Plan:
    """The plan of a random model of `NAMES` that fits."""
    for model in rng.sample(NAMES, len(NAMES)):
        try:
            return _plan(scenario, model)
        except LabError as error:
            refusal = error
    raise refusal


def _plan(scenario: Scenario, model: str) -> Plan:
    base = Plan(
        shape=shape_named(model),
        accelerator=accelerator(scenario.gpu),
        gpus=scenario.gpus,
        seq_len=scenario.seq_len,
        global_batch=scenario.global_batch or 4 * scenario.gpus,
        bits=BITS_OF[scenario.precision],
    )
    return search(base, calibrated(), keep=1).plans[0].plan


def _slug(name: str) -> str:
    return name.lower().replace(" ", "-")
