import builtins

import pytest

from llmlab.market.bars.sources import SOURCES, load
from llmlab.method.errors import LabError


def test_the_indices_of_arch_have_every_day_of_twenty_years() -> None:
    found = load("arch")
    assert [len(found[name]) for name in ("sp500", "nasdaq")] == [5031, 5031]
    assert found["sp500"].has_ranges
    assert not found["vix"].has_ranges


def test_closes_of_two_packages_agree() -> None:
    ours = load("arch")["sp500"].frame["close"]
    theirs = next(bars for name, bars in load("skfolio").items() if name.startswith("sp500"))
    ratio = (ours / theirs.frame["close"]).dropna()
    assert len(ratio) > 5000
    assert (ratio - 1).abs().max() < 1e-3


def test_splits_of_raw_stocks_are_adjusted() -> None:
    apple = load("bokeh-sampledata")["aapl"]
    assert len(apple.notes) == 2
    returns = apple.frame["close"].pct_change()
    assert returns["2000-06-21"] > -0.1
    assert returns["2000-09-29"] < -0.5  # a profit warning, no split


def test_pmdarima_has_whole_bars() -> None:
    assert len(load("pmdarima")["msft"]) == 7983


def test_an_unknown_source_names_those_there_are() -> None:
    with pytest.raises(LabError, match=r"did you mean 'arch'.*skfolio"):
        load("arhc")


def test_a_source_whose_package_is_absent_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    find = builtins.__import__

    def without(name: str, *rest: object) -> object:
        if name.startswith("pmdarima"):
            raise ModuleNotFoundError(name)
        return find(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(LabError, match="not installed; run `pip install pmdarima`"):
        load("pmdarima")


def test_every_source_says_what_it_has() -> None:
    assert all(source.description and source.licence for source in SOURCES.values())
