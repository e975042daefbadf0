"""`llmlab market`: only wiring. Each command imports the heavy modules that it needs."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmlab.market.fit_command import fit
from llmlab.market.options import (
    Asset,
    BarsOptions,
    Epochs,
    Jumps,
    RunFolderOption,
    TaskOptions,
    Tier,
    chosen_assets,
)
from llmlab.method.errors import LabError
from llmlab.method.json_values import print_json
from llmlab.method.options import Json, expand_options, require_learning_rate
from llmlab.method.wording import counted

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

LARGEST_SEED = 2**32 - 1
"""The largest seed that optuna's samplers accept."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Study scaling laws on market data: bars, features, models, a search, and fits.",
)

app.command()(fit)


@app.command()
def data(
    source: Annotated[
        str | None, typer.Option(metavar="NAME", help="Package with bars; see --list.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Your own bars, one row per day.")
    ] = None,
    jumps: Jumps = "refuse",
    url: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Fetch CSV files; {symbol} stands for each name."),
    ] = None,
    symbols: Annotated[str, typer.Option(metavar="A,B", help="Names to fetch with --url.")] = "",
    show_list: Annotated[bool, typer.Option("--list", help="Show the sources.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the manifests. Default: runs/market-data."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check daily bars and write a manifest of each asset; does not copy the bars.

    A manifest has source, version, licence, SHA-256, rows, dates, gaps and processing steps. With
    --url, fetches the files first, with retries and resumption, and keeps only those with bars.
    """
    from llmlab.market.bars.report import print_manifests, print_sources, sources
    from llmlab.market.bars.survey import fetched, from_file, from_source

    folder = out or Path("runs") / "market-data"
    if show_list:
        print_json(sources()) if as_json else print_sources()
        return
    if sum(choice is not None for choice in (source, csv, url)) != 1:
        raise LabError("the bars need one source; give --source, --csv or --url, or see --list.")
    if source is not None:
        found = from_source(source, folder)
    elif csv is not None:
        found = from_file(csv, jumps, folder)
    else:
        found = fetched(url, [name for name in symbols.split(",") if name], jumps, folder)
    if as_json:
        print_json(found)
    else:
        print_manifests(found, folder)


@app.command()
@expand_options
def features(
    bars: BarsOptions,
    asset: Asset = "",
    tier: Tier = "a",
    every: Annotated[
        str, typer.Option(metavar="DAYS", help="Length of a bar: day, week, or a number of days.")
    ] = "day",
    volatility_index: Annotated[
        str,
        typer.Option(metavar="ASSET", help="Add eight features of this index, or of `proxy`."),
    ] = "",
    combine: Annotated[
        bool, typer.Option("--combine", help="Write one table of all assets for their common days.")
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

    Also computes each column on prefixes of the bars: a column that changes sees the future and is
    refused.
    """
    from llmlab.market.features.report import print_dictionary, print_features
    from llmlab.market.features.survey import (
        FeatureSettings,
        combined_features,
        compute_features,
        write_features,
    )

    if show_list:
        print_dictionary()
        return
    assets = bars.assets()
    chosen = chosen_assets(assets, asset)
    settings = FeatureSettings(tier, every, volatility_index)
    found = [compute_features(one, settings, assets) for one in chosen]
    if combine:
        found = [combined_features(chosen, found)]
    folder = out or Path("runs") / "market-features"
    print_features(found, [write_features(one, folder) for one in found])


@app.command()
@expand_options
def targets(
    bars: BarsOptions,
    asset: Asset = "",
    as_json: Json = False,
) -> None:
    """Show how often the close rises by more than 0, 1, 2, 3 and 5 %, by horizon.

    A target that is almost never or almost always true is hard to learn and easy to misjudge.
    """
    from llmlab.market.samples.report import print_balance
    from llmlab.market.samples.targets import balance

    found = {one.name: balance(one) for one in chosen_assets(bars.assets(), asset)}
    if as_json:
        print_json({name: one.to_dict("index") for name, one in found.items()})
    else:
        print_balance(found)


@app.command()
@expand_options
def run(
    options: TaskOptions,
    epochs: Epochs = 20,
    learning_rate: Annotated[
        float, typer.Option(help="Peak learning rate for width 8; scaled down for wider models.")
    ] = 3e-3,
    out: RunFolderOption = None,
    as_json: Json = False,
) -> None:
    """Train a transformer with a parameter budget, and compare it with simple models.

    Validation and test days are separated from training days by the full reach of a sample. The
    validation loss determines when to stop; the test days are used once.
    """
    from llmlab.market.models.report import as_row, print_answers, write_result
    from llmlab.market.models.study import BASELINES, require_memory, require_samples
    from llmlab.market.models.training import Training
    from llmlab.market.samples.targets import in_words
    from llmlab.runs.folder import RunFolder, first_free

    require_learning_rate("--learning-rate", learning_rate)
    task = options.task()
    study, chunk = task.question.study(task.assets), task.chunk
    folder = RunFolder(out or first_free(Path("runs") / f"market-{task.name}-chunk{chunk}"))
    training = Training(learning_rate=learning_rate, epochs=epochs)
    with folder.held():
        folder.require_empty()
        require_memory(task.parameters)
        require_samples(study, chunk)
        answers = {
            f"transformer, {task.budget}": study.transformer(task.parameters, training, chunk),
            **{name: study.baseline(name, chunk) for name in BASELINES},
        }
        write_result(folder.path, task.as_json(), answers)
    if as_json:
        print_json({name: as_row(one) for name, one in answers.items()})
        return
    print_answers(f"{task.assets[0].name}, {in_words(study.recipe.target)}", answers)
    print(f"The results are in {folder.path}.")


@app.command()
@expand_options
def search(
    options: TaskOptions,
    trials: Annotated[
        int, typer.Option(min=1, help="Total number of trials, including earlier ones.")
    ] = 20,
    epochs: Epochs = 20,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Random seed of the search.")
    ] = 0,
    out: RunFolderOption = None,
) -> None:
    """Search architecture and training together for the lowest validation loss within a budget.

    Writes every trial as a row of trials.csv. Repeat the command to continue a stopped search or to
    add trials to a finished one. The test days are used only to evaluate the best trial.
    """
    from llmlab.market.models.architecture import Architecture
    from llmlab.market.models.report import print_answers, write_result
    from llmlab.market.models.search import Space, n_finished
    from llmlab.market.models.search import search as search_for
    from llmlab.market.models.study import require_memory, require_samples
    from llmlab.market.models.training import Training, train
    from llmlab.market.samples.targets import in_words
    from llmlab.runs.folder import RunFolder

    task = options.task()
    study, chunk = task.question.study(task.assets), task.chunk
    name = f"market-search-{task.name}-chunk{chunk}-seed{seed}"
    folder = RunFolder(out or Path("runs") / name)
    require_memory(task.parameters)
    require_samples(study, chunk)
    asked = task.as_json() | {"epochs": epochs, "seed": seed}
    base = Architecture(len(study.recipe.features), task.question.look_back)
    space = Space.of(base, task.parameters, Training(epochs=epochs))
    parts = study.parts(chunk)
    with folder.held():
        found = search_for(
            parts.without_test(), space, folder.path, asked, trials, seed, tell=_say_trial
        )
        best = train(*space.read(found.best_trial), parts, seed)
        answers = {
            "best of the search": study.judge(best.probabilities(parts.test), parts, best),
            "constant": study.baseline("constant", chunk),
        }
        write_result(folder.path, asked | {"best": dict(found.best_trial.params)}, answers)
    print_answers(f"{task.assets[0].name}, {in_words(study.recipe.target)}", answers)
    tried = _settings(found.best_trial.params)
    print(f"The best of {counted(n_finished(found), 'trial')}: {tried}.")
    print(f"Trials and results are in {folder.path}.")


def _settings(params: Mapping[str, object]) -> str:
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in params.items()
    )


def _say_trial(trial: "FrozenTrial") -> None:
    loss = "pruned" if trial.value is None else f"validation loss {trial.value:.4f}"
    print(f"trial {trial.number}: {loss}", file=sys.stderr, flush=True)
