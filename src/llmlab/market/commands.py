"""The command lines `llmlab fit` and `llmlab market`."""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmlab.method.errors import LabError
from llmlab.method.options import expand_options, require_learning_rate
from llmlab.method.wording import counted

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from llmlab.market.bars.bars import Bars
    from llmlab.market.models.question import Question

fit_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Scaling laws on market data: bars, features, models, a search, and fits.",
)

Jumps = Annotated[
    str, typer.Option(help="What to do with apparent splits in --csv: refuse, adjust or keep.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for another program to read.")]


@fit_app.command()
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
    resamples: Annotated[int, typer.Option(min=20, help="Bootstrap resamples of the runs.")] = 200,
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
    from llmlab.method.json_values import json_value

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
        print(json.dumps(json_value(in_json(found)), indent=2))
    else:
        print_fit(found)


Source = Annotated[
    str | None, typer.Option(metavar="NAME", help="Package with bars; see data --list.")
]
CsvFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Your own bars, one row per day.")
]
Tier = Annotated[
    str,
    typer.Option(metavar="TIER", help="Set of indicators: a has 20, b about 100, c about 250."),
]
Asset = Annotated[str, typer.Option(metavar="A,B", help="Assets of the source. Default: all.")]
Judged = Annotated[
    str,
    typer.Option(metavar="A,B", help="Assets to learn from; the first is evaluated. Default: all."),
]
Horizon = Annotated[str, typer.Option(metavar="DAYS", help="Bars to look ahead, or week.")]
Threshold = Annotated[
    float, typer.Option(metavar="PERCENT", help="Rise to predict; 0 predicts the direction.")
]
LookBack = Annotated[int, typer.Option(metavar="DAYS", help="Days in a model's input window.")]
BudgetOption = Annotated[
    str, typer.Option(metavar="N", help="Parameters of the transformer, such as 2k, 20k or 2M.")
]
Chunk = Annotated[
    int, typer.Option(min=0, metavar="N", help="Tenth of the days used as test set, from 0 to 9.")
]
Epochs = Annotated[int, typer.Option(min=1, help="Maximum number of passes over the samples.")]
RunFolderOption = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder of the results. Default: in runs/.")
]


@dataclass(frozen=True)
class BarsOptions:
    """The source of bars."""

    source: Source = None
    csv: CsvFile = None
    jumps: Jumps = "refuse"

    def assets(self) -> "dict[str, Bars]":
        """The bars, by the name of the asset.

        Raises:
            LabError: neither or both are given, or the bars cannot be read.
        """
        from llmlab.market.bars.csv_file import read_csv
        from llmlab.market.bars.sources import load

        if (self.source is None) == (self.csv is None):
            raise LabError("the bars need one source; give either --source or --csv.")
        if self.source is not None:
            return load(self.source)
        bars = read_csv(self.csv, self.jumps)
        return {bars.name: bars}


@dataclass(frozen=True)
class Task:
    """What a model should learn, from which bars; determines the result of a run or a search.

    Attributes:
        assets: the first one is evaluated.
        budget: parameters of the transformer, as the user wrote them.
        chunk: the tenth of the days used as test set.
    """

    question: "Question"
    assets: "list[Bars]"
    budget: str
    chunk: int

    @property
    def name(self) -> str:
        """Name for a folder: asset, budget, tier, horizon and threshold."""
        asked = self.question
        return (
            f"{self.assets[0].name}-{self.budget}-{asked.tier}-{asked.horizon}-{asked.threshold:g}"
        )

    @property
    def parameters(self) -> int:
        from llmlab.market.models.architecture import read_budget

        return read_budget(self.budget)

    def as_json(self) -> dict[str, object]:
        return {
            **asdict(self.question),
            "assets": [bars.name for bars in self.assets],
            "sha256": [bars.sha256 for bars in self.assets],
            "budget": self.budget,
            "chunk": self.chunk,
        }


@dataclass(frozen=True)
class TaskOptions(BarsOptions):
    """What a model should learn; shared by `llmlab market run` and `search`."""

    asset: Judged = ""
    tier: Tier = "a"
    horizon: Horizon = "1"
    threshold: Threshold = 0.0
    look_back: LookBack = 16
    budget: BudgetOption = "2k"
    chunk: Chunk = 5

    def task(self) -> Task:
        from llmlab.market.models.question import Question

        question = Question(self.tier, self.horizon, self.threshold, self.look_back)
        return Task(question, _chosen(self.assets(), self.asset), self.budget, self.chunk)


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
    from llmlab.market.bars.report import print_manifests, print_sources
    from llmlab.market.bars.survey import fetched, from_file, from_source
    from llmlab.method.json_values import json_value

    folder = out or Path("runs") / "market-data"
    if show_list:
        print_sources()
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
        print(json.dumps(json_value(found), indent=2))
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
    from llmlab.market.features.survey import Choice, features_of, together, write_features

    if show_list:
        print_dictionary()
        return
    assets = bars.assets()
    chosen = _chosen(assets, asset)
    choice = Choice(tier, every, volatility_index)
    found = [features_of(one, choice, assets) for one in chosen]
    if combine:
        found = [together(chosen, found)]
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

    found = {one.name: balance(one) for one in _chosen(bars.assets(), asset)}
    if as_json:
        print(json.dumps({name: one.to_dict("index") for name, one in found.items()}, indent=2))
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
    from llmlab.method.json_values import json_value
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
        rows = {name: as_row(one) for name, one in answers.items()}
        print(json.dumps(json_value(rows), indent=2))
        return
    print_answers(f"{task.assets[0].name}, {study.recipe.target}", answers)
    print(f"The results are in {folder.path}.")


@app.command()
@expand_options
def search(
    options: TaskOptions,
    trials: Annotated[
        int, typer.Option(min=1, help="Total number of trials, including earlier ones.")
    ] = 20,
    epochs: Epochs = 20,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the search.")] = 0,
    out: RunFolderOption = None,
) -> None:
    """Search architecture and training together for the lowest validation loss within a budget.

    Writes every trial as a row of trials.csv. Repeat the command to continue a stopped search or to
    add trials to a finished one. The test days are used only to evaluate the best trial.
    """
    from llmlab.market.models.architecture import Architecture
    from llmlab.market.models.report import print_answers, write_result
    from llmlab.market.models.search import Space
    from llmlab.market.models.search import search as search_for
    from llmlab.market.models.study import require_memory, require_samples
    from llmlab.market.models.training import Training, train
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
    print_answers(f"{task.assets[0].name}, {study.recipe.target}", answers)
    tried = _settings(found.best_trial.params)
    print(f"The best of {counted(len(found.trials), 'trial')}: {tried}.")
    print(f"Trials and results are in {folder.path}.")


def _settings(params: Mapping[str, object]) -> str:
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in params.items()
    )


def _say_trial(trial: "FrozenTrial") -> None:
    loss = "pruned" if trial.value is None else f"validation loss {trial.value:.4f}"
    print(f"trial {trial.number}: {loss}", file=sys.stderr, flush=True)


def _chosen(assets: "dict[str, Bars]", names: str) -> "list[Bars]":
    """The named assets, or all."""
    from llmlab.method.declare.catalog import suggestion

    wanted = [name.strip() for name in names.split(",") if name.strip()] or list(assets)
    for name in wanted:
        if name not in assets:
            raise LabError(
                f"there is no asset '{name}'{suggestion(name, assets)}; use one of "
                f"{', '.join(assets)}."
            )
    return [assets[name] for name in wanted]
