"""Options that several commands of `llmlab market` share, and what they stand for."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmlab.method.errors import LabError
from llmlab.method.options import parse_count

if TYPE_CHECKING:
    from llmlab.market.bars.bars import Bars
    from llmlab.market.models.question import Question

Jumps = Annotated[
    str, typer.Option(help="What to do with apparent splits in --csv: refuse, adjust or keep.")
]
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
TrainingAssets = Annotated[
    str,
    typer.Option(metavar="A,B", help="Assets to train on; the first is evaluated. Default: all."),
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

    asset: TrainingAssets = ""
    tier: Tier = "a"
    horizon: Horizon = "1"
    threshold: Threshold = 0.0
    look_back: LookBack = 16
    budget: BudgetOption = "2k"
    chunk: Chunk = 5

    def task(self) -> Task:
        from llmlab.market.models.question import Question

        question = Question(self.tier, self.horizon, self.threshold, self.look_back)
        return Task(question, chosen_assets(self.assets(), self.asset), self.budget, self.chunk)


def chosen_assets(assets: "dict[str, Bars]", names: str) -> "list[Bars]":
    """The named assets, or all.

    Raises:
        LabError: there is no such asset, or one is named twice.
    """
    from llmlab.method.declare.catalog import suggestion

    wanted = [name.strip() for name in names.split(",") if name.strip()] or list(assets)
    for name in wanted:
        if name not in assets:
            raise LabError(
                f"there is no asset '{name}'{suggestion(name, assets)}; use one of "
                f"{', '.join(assets)}."
            )
        if wanted.count(name) > 1:
            raise LabError(f"--asset names {name} twice; name each asset once.")
    return [assets[name] for name in wanted]


def read_budget(text: str) -> int:
    """Parse a number of parameters such as "20k", "2M", "2B" or "2000".

    Raises:
        LabError: the text is not a number of parameters.
    """
    count = parse_count(text)
    if not 1 <= count < 1e13:
        raise LabError(
            f"--budget {text} is not a number of parameters; write one such as 20k, 2M or 2B."
        )
    return round(count)
