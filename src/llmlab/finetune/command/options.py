"""What `llmlab finetune` can be told, and what of it contradicts itself."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from llmlab.finetune.command.examples import SKILL
from llmlab.finetune.model.opening import MICRO
from llmlab.gpt.options import PRECISIONS
from llmlab.method.catalog import suggestion
from llmlab.method.errors import LabError

METHODS = ("full", "lora", "qlora")
SCALINGS = ("alpha/r", "rslora")
BATCH_SIZE = 32


@dataclass(frozen=True)
class Options:
    """What `llmlab finetune` can be told; None leaves it to the method and the base.

    Attributes:
        base: as `open_base` takes it.
        data: `skills:NAME`, or a file of JSON lines.
        method: one of `METHODS`.
        target_modules: names of layers, separated by commas; all linear layers by default.
        double_quantisation: of QLoRA's constants.
        epochs: times that the examples are read, unless `steps` says how long to train.
        precision: one of `PRECISIONS`.
        replay: share of each batch that the base has learned before.
        test_items: at most so many examples are tested on.
        every: steps between two looks of the instruments.
    """

    base: str = MICRO
    data: str = f"{SKILL}subtraction"
    method: str = "lora"
    rank: int | None = None
    alpha: float | None = None
    scaling: str | None = None
    target_modules: str | None = None
    double_quantisation: bool | None = None
    learning_rate: float | None = None
    epochs: float | None = None
    steps: int | None = None
    batch_size: int = BATCH_SIZE
    seed: int = 0
    precision: str = "auto"
    pack: bool = False
    skip_bad: bool = False
    replay: float = 0.0
    test_items: int = 1000
    every: int = 1


def check_options(options: Options) -> None:
    """See that each option is in its range and that none contradicts another one."""
    _choose(options.method, METHODS, "method")
    _choose(options.precision, PRECISIONS, "precision")
    if options.scaling is not None:
        _choose(options.scaling, SCALINGS, "scaling")
    adapters_own = ("rank", "alpha", "scaling", "target_modules")
    for name in adapters_own if options.method == "full" else ():
        if getattr(options, name) is not None:
            raise LabError(
                f"full fine-tuning has no adapter and so no {_flag(name)}: leave it out, or take "
                "--method lora."
            )
    if options.double_quantisation is not None and options.method != "qlora":
        raise LabError(
            f"--method {options.method} quantises nothing, so that there is nothing to quantise "
            "twice: leave out --double-quantisation, or take --method qlora."
        )
    if options.steps is not None and options.epochs is not None:
        raise LabError("--steps and --epochs both say how long to train: leave one of them out.")
    if options.epochs is not None and not 0 < options.epochs < math.inf:
        raise LabError(
            f"{options.epochs:g} epochs train nothing: take --epochs above 0, or --steps."
        )
    for name in ("learning_rate", "alpha"):
        value = getattr(options, name)
        if value is not None and not 0 < value < math.inf:
            raise LabError(f"{_flag(name)} {value:g} learns nothing: take a number above 0.")
    _check_replay(options)


def _check_replay(options: Options) -> None:
    if not 0 <= options.replay < 1:
        raise LabError(
            f"a batch cannot replay the share {options.replay:g}: take one from 0 up to 1, as 0.2."
        )
    if options.replay and options.pack:
        raise LabError(
            "--pack fills rows with several examples and --replay counts examples: leave one of "
            "them out."
        )
    n_replayed = round(options.replay * options.batch_size)
    if options.replay and n_replayed in (0, options.batch_size):
        raise LabError(
            f"of {options.batch_size} examples a share of {options.replay:g} is {n_replayed}: "
            "take a larger --batch-size, or another --replay."
        )


def _choose(name: str, choices: Sequence[str], what: str) -> None:
    if name not in choices:
        raise LabError(
            f"there is no {what} '{name}'{suggestion(name, choices)}: "
            f"choose one of {', '.join(choices)}."
        )


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
