from dataclasses import replace

import numpy as np
import pytest

from llmlab.market.bars.bars import Bars
from llmlab.market.features.table import compute
from llmlab.market.features.tiers import tier
from llmlab.market.samples import windows
from llmlab.market.samples.targets import Target, labels
from llmlab.market.samples.windows import CLIP, Recipe, Scaler, make_parts
from llmlab.method.errors import LabError


@pytest.fixture(scope="module")
def long(draw) -> Bars:
    return draw(1200)


def recipe(**changes) -> Recipe:
    return replace(Recipe(tier("a"), Target("2", 0), look_back=8, n_chunks=6), **changes)


def test_a_window_holds_the_scaled_features_of_its_days(long: Bars) -> None:
    parts = make_parts([long], recipe(), 2)
    table = compute(tier("a"), long).to_numpy()
    scaler = Scaler.fit(table[parts.train.day_M])
    sample, day = parts.test.x_MLF[5], parts.test.day_M[5]
    np.testing.assert_array_equal(sample, scaler.apply(table)[day - 7 : day + 1])
    assert parts.test.y_M[5] == labels(long, Target("2", 0))[day]


def test_validation_and_test_rows_do_not_move_the_training_samples(
    long: Bars, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = make_parts([long], recipe(), 2)
    held_out = np.concatenate([before.validation.day_M, before.test.day_M])

    def with_wild_rows(features, bars):
        table = compute(features, bars)
        table.iloc[held_out] *= 1000
        return table

    monkeypatch.setattr(windows, "compute", with_wild_rows)
    after = make_parts([long], recipe(), 2)
    np.testing.assert_array_equal(after.train.x_MLF, before.train.x_MLF)
    assert not np.array_equal(after.test.x_MLF, before.test.x_MLF)


def test_training_rows_are_standard_scores(long: Bars) -> None:
    last = make_parts([long], recipe(), 2).train.x_MLF[:, -1]
    np.testing.assert_allclose(last.mean(axis=0), 0, atol=0.05)
    np.testing.assert_allclose(last.std(axis=0), 1, atol=0.1)


def test_missing_and_wild_values_are_tamed() -> None:
    scaler = Scaler.fit(np.array([[0.0, 1.0], [2.0, 1.0]]))
    scaled = scaler.apply(np.array([[np.nan, 1.0], [1e9, 5.0]]))
    np.testing.assert_array_equal(scaled, [[0, 0], [CLIP, 0]])


def test_all_assets_share_the_days_of_the_split(long: Bars, draw) -> None:
    parts = make_parts([long, draw(1200, seed=1, name="other")], recipe(), 2)
    alone = make_parts([long], recipe(), 2)
    assert len(parts.train) == 2 * len(alone.train)
    np.testing.assert_array_equal(parts.test.y_M, alone.test.y_M)
    assert set(parts.train.day_M) == set(alone.train.day_M)


def test_days_outside_the_span_of_the_judged_asset_are_left_out(long: Bars, draw) -> None:
    short = Bars("short", long.frame.iloc[300:1100], "")
    parts = make_parts([short, draw(1200, seed=1, name="other")], recipe(), 0)
    assert len(parts.test) > 0
    assert max(parts.train.day_M) < len(short)


def test_a_search_gets_no_test(long: Bars) -> None:
    assert make_parts([long], recipe(), 2).without_test().test is None


def test_too_few_bars_are_refused(bars: Bars) -> None:
    few = replace(bars, frame=bars.frame.iloc[:60])
    with pytest.raises(LabError, match="60 days are too few"):
        make_parts([few], recipe(), 0)
