import numpy as np
import pytest

from llmlab.market.bars.bars import bad_days
from llmlab.market.bars.synthetic import known_market
from llmlab.market.samples.targets import Target, labels


def test_its_bars_can_be() -> None:
    bars = known_market(300, 1.0, 0).bars
    assert not any(bad_days(bars).values())


def test_rises_are_as_likely_as_it_says() -> None:
    market = known_market(4000, 2.0, 0)
    rises, p = labels(market.bars, Target("1"))[:-1], market.probability_R[:-1]
    for low, high in ((0, 0.2), (0.4, 0.6), (0.8, 1)):
        rows = (p > low) & (p < high)
        assert rises[rows].mean() == pytest.approx(p[rows].mean(), abs=0.05)


def test_without_a_signal_it_is_a_coin() -> None:
    market = known_market(200, 0.0, 0)
    assert market.lowest_loss(np.arange(200)) == pytest.approx(np.log(2))


def test_no_answer_beats_the_true_probabilities() -> None:
    market, rows = known_market(500, 1.0, 0), np.arange(100, 400)
    lowest = market.lowest_loss(rows)
    assert lowest < market.expected_loss(np.full(300, 0.5), rows)
    assert lowest < market.expected_loss(np.clip(market.probability_R[rows] + 0.05, 0, 0.99), rows)


def test_a_stronger_signal_is_worth_more() -> None:
    rows = np.arange(100, 900)
    losses = [known_market(1000, strength, 0).lowest_loss(rows) for strength in (0.25, 0.5, 1, 2)]
    assert losses == sorted(losses, reverse=True)
