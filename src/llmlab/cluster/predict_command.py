"""`llmlab predict`: step time, speed, utilisation and memory of a plan."""

import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from llmlab.cluster.physics.coefficients import calibrated
from llmlab.cluster.physics.plan import Plan, check
from llmlab.cluster.physics.planfile import PlanFile, parsed, read_plan
from llmlab.cluster.physics.prediction import predict, predict_checked
from llmlab.cluster.physics.search import LAYOUT, search
from llmlab.cluster.reports import print_comparison, print_prediction, print_score, print_search
from llmlab.cluster.scoring.rows import Published, Skipped
from llmlab.cluster.scoring.score import Score, score, score_runs
from llmlab.cluster.scoring.tables import read_runs
from llmlab.cluster.wear.estimate import estimate_run
from llmlab.method.errors import LabError
from llmlab.method.json_values import print_json
from llmlab.method.options import Json, expand_options, parse_count

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown")

EXAMPLE = "for example `llmlab predict --model 'Llama 3.1 70B' --gpus 64 --tp 4 --pp 4 --batch 256`"
PRECISIONS = ("unknown", "16", "half", "amp", "mixed", "fp8", "float8", "fp4", "float4")
"""Words in a published precision that tell its bits."""


@dataclass(frozen=True)
class PlanOptions:
    """The fields of a `PlanFile` as options; None leaves its default."""

    model: Annotated[
        str | None,
        typer.Option(metavar="NAME|SIZE", help="Public model, or number of parameters, e.g. 7B."),
    ] = None
    gpu: Annotated[str | None, typer.Option(metavar="NAME", help="Accelerator. Default: H100.")] = (
        None
    )
    gpus: Annotated[int | None, typer.Option(metavar="N", help="Number of GPUs. Default: 8.")] = (
        None
    )
    global_batch: Annotated[
        int | None,
        typer.Option("--batch", metavar="N", help="Sequences per step. Default: four per GPU."),
    ] = None
    seq_len: Annotated[
        int | None, typer.Option(metavar="N", help="Tokens per sequence. Default: 4096.")
    ] = None
    micro_batch: Annotated[
        int | None, typer.Option(metavar="N", help="Sequences per pass. Default: 1.")
    ] = None
    tp: Annotated[int | None, typer.Option(metavar="N", help="Tensor parallelism. Default: 1.")] = (
        None
    )
    pp: Annotated[int | None, typer.Option(metavar="N", help="Pipeline stages. Default: 1.")] = None
    cp: Annotated[
        int | None, typer.Option(metavar="N", help="Context parallelism. Default: 1.")
    ] = None
    ep: Annotated[int | None, typer.Option(metavar="N", help="Expert parallelism. Default: 1.")] = (
        None
    )
    interleave: Annotated[
        int | None, typer.Option(metavar="N", help="Virtual stages per rank. Default: 1.")
    ] = None
    sharding: Annotated[
        str | None,
        typer.Option(help="none, optimizer, gradients or parameters (FSDP). Default: optimizer."),
    ] = None
    recompute: Annotated[
        str | None, typer.Option(help="none, selective, operations or full. Default: none.")
    ] = None
    early_stop: Annotated[
        bool | None,
        typer.Option(
            "--early-stop/--no-early-stop",
            help="Whether full recomputation skips a layer's last product, as PyTorch's does from "
            "version 2.1. Default: with eager or compiled kernels.",
        ),
    ] = None
    precision: Annotated[
        str | None, typer.Option(help="fp16, bf16, fp8 or fp4. Default: bf16.")
    ] = None
    software: Annotated[
        str | None, typer.Option(help="plain, eager, compiled or fused kernels. Default: fused.")
    ] = None

    def given(self) -> dict[str, object]:
        """The fields that the user set."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@app.command()
@expand_options
def main(
    *,
    plans: Annotated[
        list[Path] | None,
        typer.Option("--plan", metavar="FILE", help="Plan in TOML or JSON; may be repeated."),
    ] = None,
    search_gpus: Annotated[
        int | None,
        typer.Option(
            "--search",
            metavar="GPUS",
            min=1,
            help="Find the fastest layouts for this number of GPUs.",
        ),
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Show several plans side by side.")
    ] = False,
    score_file: Annotated[
        Path | None,
        typer.Option("--score", metavar="FILE", help="Score on the published runs in a CSV file."),
    ] = None,
    options: PlanOptions,
    tokens: Annotated[
        str | None,
        typer.Option(metavar="N", help="Tokens to train on, e.g. 15T; adds days, with failures."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Predict the step of a training run: time, tokens/s, MFU, memory, and where the time goes.

    Takes a plan from a file (`--plan`) or from options. `--search` ranks all layouts, `--compare`
    shows plans side by side, `--score` measures the predictor on published runs.
    """
    given = options.given()
    others = {"plan": plans, "search": search_gpus, "compare": compare or None, "tokens": tokens}
    beside = {*given, *(name for name, value in others.items() if value is not None)}
    if score_file is not None:
        _refuse_unused("--score", beside)
        _score(score_file, as_json)
    elif search_gpus is not None:
        _refuse_unused("--search", beside & {"compare", "tokens", "gpus", *LAYOUT})
        _search(_one_plan(plans, given, gpus=search_gpus), as_json)
    elif compare:
        _refuse_unused("--compare", beside - {"compare", "plan"})
        _compare(plans or [], as_json)
    else:
        _predict(_one_plan(plans, given), tokens, as_json)


def _refuse_unused(mode: str, names: set[str]) -> None:
    """Raise LabError if there is an option that this mode does not read."""
    if names:
        raise LabError(f"{mode} does not use {_flag(min(names))}; leave one of them out.")


def _flag(name: str) -> str:
    return f"--{name.removeprefix('global_').replace('_', '-')}"


def _one_plan(files: list[Path] | None, given: dict, gpus: int | None = None) -> Plan:
    """The plan of the one file, or of the options."""
    if files and len(files) > 1:
        raise LabError("there are several plans; add --compare to see them side by side.")
    if files and given:
        raise LabError(
            f"--plan already sets all sizes, so {_flag(next(iter(given)))} cannot be given, too; "
            "edit the file, or use options only."
        )
    if files:
        plan = read_plan(files[0])
        return replace(plan, gpus=gpus) if gpus else plan
    if "model" not in given:
        raise LabError(f"there is no plan to predict; give a --plan or a --model, {EXAMPLE}.")
    count = gpus or given.get("gpus", 8)
    table = {"global_batch": 4 * count, **given, "gpus": count}
    return parsed(PlanFile, table, "the plan").plan()


def _predict(plan: Plan, tokens: str | None, as_json: bool) -> None:
    found = predict_checked(plan)
    estimate = None if tokens is None else estimate_run(found, token_count(tokens))
    if as_json:
        extra = {"campaign": asdict(estimate)} if estimate else {}
        print_json({**found.as_json(), **extra})
    else:
        print_prediction(found, estimate)


def _search(base: Plan, as_json: bool) -> None:
    if base.gpus < 1:
        raise LabError(f"--search cannot be {base.gpus}; give a number of GPUs from 1 up.")
    found = search(replace(base, tp=1, pp=1, cp=1, ep=1), calibrated())
    best = [predict(ranked.plan) for ranked in found.plans]
    if as_json:
        plans = [prediction.as_json() for prediction in best]
        print_json({"tried": found.tried, "fitting": found.fitting, "best": plans})
    else:
        print_search(found, best)


def _compare(files: list[Path], as_json: bool) -> None:
    if len(files) < 2:
        raise LabError("--compare needs at least two plans; repeat --plan FILE.")
    found = []
    for name, file in zip(_names(files), files, strict=True):
        plan = read_plan(file)
        check(plan)
        found.append((name, predict(plan)))
    if as_json:
        print_json({name: prediction.as_json() for name, prediction in found})
    else:
        print_comparison(found)


def _names(files: Sequence[Path]) -> list[str]:
    """The names of the files without their endings; with their folders if two have one name."""
    stems = [file.stem for file in files]
    if len({*stems}) == len(stems):
        return stems
    paths = [file.resolve() for file in files]
    shared = os.path.commonpath([path.parent for path in paths])
    return [str(path.with_suffix("").relative_to(shared)) for path in paths]


def _score(file: Path, as_json: bool) -> None:
    found = scored(file)
    if as_json:
        print_json(asdict(found))
    else:
        print_score(found)


def scored(file: Path) -> Score:
    """Score the predictor on the runs of a CSV file.

    Raises:
        LabError: the file cannot be read, or holds no run that can be predicted.
    """
    found, skipped = read_runs(file)
    runs = [run for run in found if _is_known_precision(run)]
    skipped += [
        Skipped(run.row.name, run.source, f"precision {run.row.precision} is not one that we know")
        for run in found
        if not _is_known_precision(run)
    ]
    if not runs:
        raise LabError(
            f"no row of {file} can be scored; correct them, first {skipped[0].row}: "
            f"{skipped[0].reason}."
            if skipped
            else f"{file} has no rows; add some."
        )
    try:
        return score(score_runs(runs, calibrated()), skipped)
    except OverflowError as error:
        raise LabError(
            f"{file} has a number that is too large to compute with; correct or remove its row."
        ) from error


def _is_known_precision(run: Published) -> bool:
    """Whether the cell tells the bits of matrix products; what it does not would pass for 16."""
    text = (run.row.precision or "unknown").casefold()
    return any(word in text for word in PRECISIONS)


def token_count(text: str) -> float:
    """Parse a number such as "15T", "300B" or "1e12".

    Raises:
        LabError: the text is not a positive number.
    """
    number = parse_count(text)
    if not 0 < number < math.inf:
        raise LabError(f"--tokens cannot be {text}; write a positive number, as in 300B or 15T.")
    return number
