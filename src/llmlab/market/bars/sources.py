"""Sources of bars: packages that contain data, each a small plug-in.

A package is imported only when its bars are loaded, so all of them are optional.
"""

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import pandas as pd

from llmlab.market.bars.bars import COLUMNS, Bars, checked
from llmlab.market.bars.stock_splits import adjusted
from llmlab.method.declare.catalog import suggestion
from llmlab.method.errors import LabError


@dataclass(frozen=True)
class Source:
    """A package that contains data.

    Attributes:
        name: name of the package.
        licence: licence of the package; rights to the data may differ.
        load: yields the bars of every asset.
    """

    name: str
    description: str
    licence: str
    load: Callable[[], Iterator[Bars]]

    @property
    def version(self) -> str:
        """Installed version; "" if the package is absent."""
        try:
            return version(self.name)
        except PackageNotFoundError:
            return ""


def load(name: str) -> dict[str, Bars]:
    """Load the assets of a source, by name.

    Raises:
        LabError: the source is unknown, its package is not installed, or its bars are invalid.
    """
    if name not in SOURCES:
        raise LabError(
            f"there is no source '{name}'{suggestion(name, SOURCES)}; use one of "
            f"{', '.join(SOURCES)}."
        )
    try:
        return {bars.name: checked(bars) for bars in SOURCES[name].load()}
    except ImportError as error:
        raise LabError(
            f"the source '{name}' needs the package {name}, which is not installed; run "
            f"`pip install {name}`."
        ) from error


def _arch() -> Iterator[Bars]:
    for name in ("sp500", "nasdaq"):
        frame = _of("arch.data", name)
        yield _bars(name, frame.drop(columns="Adj Close"), "arch", is_index=True)
    yield _closes("vix", _of("arch.data", "vix")["vix"], "arch")
    yield _closes("wti", _of("arch.data", "wti")["DCOILWTICO"], "arch")


def _of(package: str, name: str) -> pd.DataFrame:
    return importlib.import_module(f"{package}.{name}").load()


def _skfolio() -> Iterator[Bars]:
    from skfolio.datasets import load_factors_dataset, load_sp500_dataset, load_sp500_index

    for frame in (load_sp500_dataset(), load_sp500_index(), load_factors_dataset()):
        for column in frame:
            yield _closes(f"{column}-close".lower(), frame[column], "skfolio")


def _pmdarima() -> Iterator[Bars]:
    from pmdarima.datasets import load_msft

    frame = load_msft().set_index("Date").drop(columns="OpenInt")
    yield _bars("msft", frame, "pmdarima")


def _bokeh() -> Iterator[Bars]:
    from bokeh_sampledata import stocks

    for name in ("AAPL", "FB", "GOOG", "IBM", "MSFT"):
        frame = pd.DataFrame(getattr(stocks, name)).set_index("date")
        suffix = "-2013" if name == "MSFT" else ""  # pmdarima's is longer
        bars = Bars(name.lower() + suffix, _dated(frame), "bokeh-sampledata")
        yield adjusted(bars)


def _bars(name: str, frame: pd.DataFrame, source: str, *, is_index: bool = False) -> Bars:
    return Bars(name, _dated(frame)[list(COLUMNS)], source, is_index)


def _closes(name: str, closes: pd.Series, source: str) -> Bars:
    """Bars from a series of closes, without days that have none."""
    frame = _dated(closes.dropna().to_frame("close"))
    return Bars(name, frame, source, is_index=True)


def _dated(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.rename(columns=str.lower)
    index = pd.DatetimeIndex(pd.to_datetime(frame.index), name="date").as_unit("ns")
    return frame.set_axis(index).astype(float)


SOURCES = {
    source.name: source
    for source in (
        Source("arch", "S&P 500 and Nasdaq bars 1999-2018, VIX and WTI closes", "NCSA", _arch),
        Source(
            "skfolio", "closes of 20 stocks, S&P 500 and 5 factors 1990-2022", "BSD-3", _skfolio
        ),
        Source("pmdarima", "MSFT bars 1986-2017, adjusted", "MIT", _pmdarima),
        Source(
            "bokeh-sampledata", "bars of 5 stocks 2000-2013, splits adjusted here", "BSD-3", _bokeh
        ),
    )
}
