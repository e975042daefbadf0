"""`llmlab fit`: a scaling law for any table of runs."""

from pathlib import Path
from typing import Annotated

import typer

from llmlab.method.errors import LabError
from llmlab.method.json_values import print_json
from llmlab.method.options import Json

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown")


@app.command()
def fit(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="Table with one row per run.")],
    loss: Annotated[str, typer.Option(metavar="COLUMN", help="Column of the loss.")],
    params: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of the model's parameters.")
    ] = None,
    tokens: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of the training tokens (or rows).")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=VALUE", help="Use only these rows; may be repeated."),
    ] = None,
    resamples: Annotated[
        int, typer.Option(min=20, max=100_000, help="Bootstrap resamples of the runs.")
    ] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the resamples.")] = 0,
    as_json: Json = False,
) -> None:
    """Fit a scaling law, E + A / params^alpha + B / tokens^beta, to a table of runs.

    Prints intervals, simpler laws for comparison, and warnings. Omit --params or --tokens to fit
    only the other.
    """
    from llmlab.market.fits.fitting import fit_law
    from llmlab.market.fits.report import as_json as in_json
    from llmlab.market.fits.report import print_fit
    from llmlab.market.fits.table import read_table, runs_of

    table = read_table(file)
    for condition in where or []:
        column, is_equal, value = condition.partition("=")
        if not is_equal:
            raise LabError(
                f"--where {condition} lacks a value; write COLUMN=VALUE, as in --where set=c4."
            )
        table = table.where(column.strip(), value.strip())
    runs = runs_of(table, {"params": params, "tokens": tokens}, loss)
    found = fit_law(runs, resamples=resamples, seed=seed)
    if as_json:
        print_json(in_json(found))
    else:
        print_fit(found)
