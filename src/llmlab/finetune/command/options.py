"""The options of `llmlab finetune`, and checks that they fit each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from typer import Option

from llmlab.gpt.command.options import PRECISIONS
from llmlab.method.declare.catalog import suggestion
from llmlab.method.errors import LabError
from llmlab.method.options import (
    LARGEST_BATCH,
    LARGEST_SEED,
    require_epochs,
    require_learning_rate,
)

METHODS = ("full", "lora", "qlora")
SCALINGS = ("alpha/r", "rslora")
LARGEST_ALPHA = 1e6
"""Far more than any adapter is scaled by; a float32 overflows from 1e38 on."""


@dataclass(frozen=True)
class FinetuneOptions:
    """What to fine-tune, on what, and how; None leaves it to the method and the base model."""

    base: Annotated[
        str,
        Option(
            metavar="BASE",
            help="micro, smollm2 (from a package), a folder of `llmlab train`, a GGUF file, or hf: "
            "and a Hugging Face id or folder.",
        ),
    ] = "micro"
    data: Annotated[
        str,
        Option(
            metavar="DATA",
            help="skills:NAME (subtraction, math, reasoning, code, knowledge or facts:N), or a "
            "file of JSON lines with prompt and response, or messages.",
        ),
    ] = "skills:subtraction"
    method: Annotated[str, Option(help="full, lora or qlora.")] = "lora"
    rank: Annotated[int | None, Option(min=1, help="Rank of the adapter. Default: 8.")] = None
    alpha: Annotated[
        float | None,
        Option(
            max=LARGEST_ALPHA, help="Numerator of the adapter's scaling. Default: twice the rank."
        ),
    ] = None
    scaling: Annotated[
        str | None, Option(help="alpha/r (the default) or rslora: alpha over the root of r.")
    ] = None
    target_modules: Annotated[
        str | None,
        Option(metavar="NAMES", help="Layers to adapt, e.g. qkv,out. Default: all linear layers."),
    ] = None
    double_quantisation: Annotated[
        bool | None,
        Option(
            "--double-quantisation/--single-quantisation",
            help="Whether qlora quantises its constants, too. Default: yes.",
            show_default=False,
        ),
    ] = None
    learning_rate: Annotated[
        float | None, Option(help="Peak rate. Default: depends on method and base.")
    ] = None
    epochs: Annotated[float | None, Option(help="Passes over the examples. Default: 3.")] = None
    steps: Annotated[int | None, Option(min=1, help="Optimizer steps, instead of --epochs.")] = None
    batch_size: Annotated[
        int, Option(min=1, max=LARGEST_BATCH, help="Examples per step; rows with --pack.")
    ] = 32
    seed: Annotated[
        int,
        Option(
            min=0,
            max=LARGEST_SEED,
            help="Random seed of the adapter's weights and of the examples' order.",
        ),
    ] = 0
    precision: Annotated[str, Option(help="float32, bfloat16, or auto: bfloat16 on CUDA.")] = "auto"
    pack: Annotated[bool, Option("--pack", help="Put several short examples into one row.")] = False
    skip_bad: Annotated[
        bool, Option("--skip-bad", help="Skip bad lines of the file, and report them.")
    ] = False
    replay: Annotated[
        float, Option(help="Share of each batch that replays the skills of micro.")
    ] = 0.0
    test_items: Annotated[int, Option(min=0, help="Maximum number of test examples.")] = 1000
    every: Annotated[
        int, Option(min=1, help="Steps between measurements of each layer's gradients and updates.")
    ] = 1


def check_options(options: FinetuneOptions) -> None:
    """Check that each option is in its range and that none contradicts another.

    Raises:
        LabError: an option is out of its range, or contradicts another one.
    """
    _choose(options.method, METHODS, "method")
    _choose(options.precision, PRECISIONS, "precision")
    if options.scaling is not None:
        _choose(options.scaling, SCALINGS, "scaling")
    _check_method(options)
    _check_length(options)
    for name in ("learning_rate", "alpha"):
        value = getattr(options, name)
        if value is not None:
            require_learning_rate(_flag(name), value)
    _check_replay(options)


def _check_method(options: FinetuneOptions) -> None:
    """Check that the method takes the options that are set."""
    adapters_own = ("rank", "alpha", "scaling", "target_modules")
    for name in adapters_own if options.method == "full" else ():
        if getattr(options, name) is not None:
            raise LabError(
                f"full fine-tuning has no adapter and so no {_flag(name)}: leave it out, or take "
                "--method lora."
            )
    if options.double_quantisation is not None and options.method != "qlora":
        given = "--double-quantisation" if options.double_quantisation else "--single-quantisation"
        raise LabError(
            f"--method {options.method} quantises nothing: leave out {given}, or take --method "
            "qlora."
        )


def _check_length(options: FinetuneOptions) -> None:
    if options.steps is not None and options.epochs is not None:
        raise LabError("--steps and --epochs both say how long to train: leave one of them out.")
    if options.epochs is not None:
        require_epochs(options.epochs)


def _check_replay(options: FinetuneOptions) -> None:
    if not 0 <= options.replay < 1:
        raise LabError(
            f"a batch cannot replay the share {options.replay:g}: take one from 0 to below 1, "
            "such as 0.2."
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
