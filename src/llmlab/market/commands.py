"""The command lines `llmlab fit` and `llmlab market`."""

import json
import math
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Annotated

import typer

from llmlab.method.errors import LabError

fit_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Scaling laws on market data: bars, features, runs, a search, fits.",
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for another program to read.")]


@fit_app.command()
@app.command()
def fit(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.csv", help="Table with a row for each run.")
    ],
    loss: Annotated[str, typer.Option(metavar="COLUMN", help="Loss of the run.")],
    params: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Parameters of its model.")
    ] = None,
    tokens: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Tokens (or rows) that it was trained on.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=VALUE", help="Only such rows; may be given more than once."),
    ] = None,
    resamples: Annotated[int, typer.Option(min=20, help="Bootstrap resamples of the runs.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Fixes the resamples.")] = 0,
    as_json: Json = False,
) -> None:
    """Fit a scaling law, E + A / params^alpha + B / tokens^beta, to a table of runs.

    With intervals, simpler laws beside it, and warnings. Leave out --params or --tokens to fit the
    other one alone.
    """
    from llmlab.market.fits.fitting import fit_law
    from llmlab.market.fits.report import as_json as in_json
    from llmlab.market.fits.report import print_fit
    from llmlab.market.fits.table import read_table, runs_of

    table = read_table(file)
    for condition in where or []:
        column, is_equal, value = condition.partition("=")
        if not is_equal:
            raise LabError(f"--where {condition}: write COLUMN=VALUE, as in --where set=c4.")
        table = table.where(column.strip(), value.strip())
    runs = runs_of(table, {"params": params, "tokens": tokens}, loss)
    found = fit_law(runs, resamples=resamples, seed=seed)
    if as_json:
        _print_json(in_json(found))
    else:
        print_fit(found)


def _print_json(value: object) -> None:
    print(json.dumps(_plain(value), indent=2, default=str))


def _plain(value: object) -> object:
    """Dataclasses as objects, what is no finite number as null."""
    if is_dataclass(value):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
