import numpy as np
import pytest

from llmlab.market.bars.bars import Bars
from llmlab.market.features.leaks import leaks
from llmlab.market.features.volatility_index import index_features, proxy, with_index
from llmlab.method.errors import LabError


def closes(bars: Bars, start: int = 0) -> Bars:
    return Bars("index", bars.frame[["close"]].iloc[start:], "", is_index=True)


def test_there_are_eight(bars: Bars) -> None:
    assert with_index(bars, closes(bars)).shape == (len(bars), 8)


def test_days_without_the_index_have_no_value(bars: Bars) -> None:
    table = with_index(bars, closes(bars, 100))
    assert table["volatility_index_level"].first_valid_index() == bars.frame.index[100]


def test_a_day_that_the_index_lacks_takes_the_value_before(bars: Bars) -> None:
    index = closes(bars)
    gappy = Bars("index", index.frame.drop(index.frame.index[50]), "")
    level = with_index(bars, gappy)["volatility_index_level"]
    assert level.iloc[50] == level.iloc[49]


def test_a_proxy_is_named_one(bars: Bars) -> None:
    table = with_index(bars, None)
    assert table.columns[0] == "volatility_proxy_level"
    assert np.exp(table["volatility_proxy_level"]).median() == pytest.approx(
        proxy(bars).frame["close"].median()
    )


def test_closes_alone_have_no_proxy(bars: Bars) -> None:
    with pytest.raises(LabError, match="only closes"):
        with_index(closes(bars), None)


@pytest.mark.parametrize("use_proxy", [False, True])
def test_none_sees_the_future(bars: Bars, use_proxy: bool) -> None:
    index = None if use_proxy else closes(bars, 20)
    assert leaks(lambda some: with_index(some, index), bars, range(5, 400, 40)) == []


def test_names_are_those_of_the_dictionary(bars: Bars) -> None:
    names = [feature.name for feature in index_features("volatility_index")]
    assert list(with_index(bars, closes(bars))) == names
