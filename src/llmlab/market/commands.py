"""The command lines `llmlab fit` and `llmlab market`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from llmlab.method.errors import LabError

fit_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Scaling laws on market data: daily bars, and fits to tables of runs.",
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
    from llmlab.method.json_values import json_value

    table = read_table(file)
    for condition in where or []:
        column, is_equal, value = condition.partition("=")
        if not is_equal:
            raise LabError(f"--where {condition}: write COLUMN=VALUE, as in --where set=c4.")
        table = table.where(column.strip(), value.strip())
    runs = runs_of(table, {"params": params, "tokens": tokens}, loss)
    found = fit_law(runs, resamples=resamples, seed=seed)
    if as_json:
        print(json.dumps(json_value(in_json(found)), indent=2))
    else:
        print_fit(found)


@app.command()
def data(
    source: Annotated[
        str | None, typer.Option(metavar="NAME", help="A package with bars in it, see --list.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Bars of your own, a row for each day.")
    ] = None,
    jumps: Annotated[
        str,
        typer.Option(help="Falls in --csv that look like splits: refuse, adjust or keep."),
    ] = "refuse",
    url: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Fetch CSV files; {symbol} stands for each name."),
    ] = None,
    symbols: Annotated[
        str, typer.Option(metavar="A,B", help="The names that --url is fetched for.")
    ] = "",
    show_list: Annotated[bool, typer.Option("--list", help="Show the sources.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the manifests. Default: runs/market-data."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check daily bars and write a manifest of each asset; the bars stay where they are.

    A manifest has source, version, licence, SHA-256, rows, dates, gaps, and what was done to the
    bars. With --url the files are fetched first: retried, resumed, and kept only if they are bars.
    """
    from llmlab.market.bars.report import print_manifests, print_sources
    from llmlab.market.bars.survey import fetched, from_file, from_source
    from llmlab.method.json_values import json_value

    folder = out or Path("runs") / "market-data"
    if show_list:
        print_sources()
        return
    if sum(choice is not None for choice in (source, csv, url)) != 1:
        raise LabError("say where bars come from: one of --source, --csv, --url; or see --list.")
    if source is not None:
        found = from_source(source, folder)
    elif csv is not None:
        found = from_file(csv, jumps, folder)
    else:
        found = fetched(url, [name for name in symbols.split(",") if name], jumps, folder)
    if as_json:
        print(json.dumps(json_value(found), indent=2))
    else:
        print_manifests(found, folder)
