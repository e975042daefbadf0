"""The command lines `llmlab fit` and `llmlab market`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmlab.method.errors import LabError

if TYPE_CHECKING:
    from llmlab.market.bars.bars import Bars

fit_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Scaling laws on market data: daily bars, and fits to tables of runs.",
)

Jumps = Annotated[
    str, typer.Option(help="Falls in --csv that look like splits: refuse, adjust or keep.")
]
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
    jumps: Jumps = "refuse",
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


@app.command()
def features(
    source: Annotated[
        str | None, typer.Option(metavar="NAME", help="A package with bars in it, see data --list.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Bars of your own, a row for each day.")
    ] = None,
    jumps: Jumps = "refuse",
    asset: Annotated[
        str, typer.Option(metavar="A,B", help="Assets of the source. Default: all.")
    ] = "",
    tier: Annotated[
        str, typer.Option(metavar="TIER", help="a: 20 indicators, b: some 100, c: some 250.")
    ] = "a",
    every: Annotated[
        str, typer.Option(metavar="DAYS", help="Length of a bar: day, week, or a number of days.")
    ] = "day",
    volatility_index: Annotated[
        str,
        typer.Option(metavar="ASSET", help="Add eight features of this index, or of a proxy."),
    ] = "",
    combine: Annotated[
        bool, typer.Option("--combine", help="One table of all assets, on the days they share.")
    ] = False,
    show_list: Annotated[
        bool, typer.Option("--list", help="Show every feature with its formula.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the tables. Default: runs/market-features."),
    ] = None,
) -> None:
    """Compute features of daily bars and write a table of each asset.

    Each column is computed on prefixes of the bars, too; one that changes sees the future, and is
    refused.
    """
    from llmlab.market.features.report import print_dictionary, print_features
    from llmlab.market.features.survey import Choice, features_of, together, write_features

    if show_list:
        print_dictionary()
        return
    assets = _assets(source, csv, jumps)
    chosen = _chosen(assets, asset)
    choice = Choice(tier, every, volatility_index)
    found = [features_of(bars, choice, assets) for bars in chosen]
    if combine:
        found = [together(chosen, found)]
    folder = out or Path("runs") / "market-features"
    print_features(found, [write_features(one, folder) for one in found])


def _assets(source: str | None, csv: Path | None, jumps: str) -> "dict[str, Bars]":
    """The bars that a command is told to use, by the name of the asset."""
    from llmlab.market.bars.csv_file import read_csv
    from llmlab.market.bars.sources import load

    if (source is None) == (csv is None):
        raise LabError("say where bars come from: one of --source and --csv.")
    if source is not None:
        return load(source)
    bars = read_csv(csv, jumps)
    return {bars.name: bars}


def _chosen(assets: "dict[str, Bars]", names: str) -> "list[Bars]":
    """The named assets, or all."""
    from llmlab.method.declare.catalog import suggestion

    wanted = [name.strip() for name in names.split(",") if name.strip()] or list(assets)
    for name in wanted:
        if name not in assets:
            raise LabError(
                f"there is no asset '{name}'{suggestion(name, assets)}; there are "
                f"{', '.join(assets)}."
            )
    return [assets[name] for name in wanted]
