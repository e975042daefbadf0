"""Numbers keep their value when they are shortened, and say their unit once."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmlab.book import numbers
from llmlab.method.levels import MINUS

SIZES = st.floats(1e-8, 1e8)


def read_back(text: str) -> float:
    return float(text.replace(MINUS, "-").replace(",", ""))


@given(SIZES, st.sampled_from([1, -1]))
def test_three_digits_count(size, sign):
    assert math.isclose(read_back(numbers.bare(sign * size)), sign * size, rel_tol=6e-3)


@given(st.floats(-1, 1))
def test_a_share_is_shown_as_per_cent_to_one_decimal(share):
    assert abs(read_back(numbers.bare(share, "share")) - 100 * share) <= 0.0501


def test_what_rounds_to_zero_has_no_minus():
    assert numbers.bare(-4e-7, "share") == "0.0"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (numbers.number(0.931, "share"), "93.1 %"),
        (numbers.number(1234.5, "s"), "1,234 s"),
        (numbers.number(-0.25), "−0.250"),
        (numbers.number(math.nan), "none"),
        (numbers.interval(0.9, 0.95, "share"), "90.0 to 95.0 %"),
        (numbers.change(0.05, "share"), "+5.0 points"),
        (numbers.changes(-0.05, 0.1, "share"), "−5.0 to +10.0 points"),
        (numbers.change(0.0004, "share"), "0.0 points"),
        (numbers.number(2.13e-4), "0.000213"),
        (numbers.number(2.13e-5), "2.13e-5"),
        (numbers.changes(-0.00335, 2.86e-5), "−0.00335 to +0.00003"),
        (numbers.changes(0.000671, 0.00534), "+0.00067 to +0.00534"),
        (numbers.changes(-0.004, 1.25), "−0.00400 to +1.25"),
        (numbers.interval(0, 0.5), "0 to 0.500"),
        (numbers.changes(math.nan, math.nan), "none to none"),
        (numbers.declared(0.05, "share"), "5 points"),
        (numbers.declared(-0.125, "nats"), "−0.125 nats"),
        (numbers.declared(-0.0, "nats"), "0 nats"),
        (numbers.correlation(0.99666), "+0.997"),
        (numbers.deviation(-0.0138), "−1.4 %"),
        (numbers.deviation(0.138, decimals=0), "+14 %"),
        (numbers.deviation(-0.0038, decimals=0), "0 %"),
        (numbers.plus_minus(0.8071, 0.0172, "nats"), "0.807 ± 0.017"),
        (numbers.plus_minus(0.8071, 0.0172, "share"), "80.7 ± 1.7"),
        (numbers.plus_minus(0.5, 0.0), "0.500 ± 0"),
        (numbers.plus_minus(0.99999999, 1e-8), "1.00 ± 0"),
        (numbers.brief(0.0), "0"),
        (numbers.brief(0.00934), "0.0093"),
        (numbers.brief(123.0), "120"),
        (numbers.brief(3.57e-7), "3.6e-7"),
        (numbers.level(2e-4), "2e-4"),
        (numbers.level(1.5e-3), "1.5e-3"),
        (numbers.level(64), "64"),
        (numbers.level(4096), "4,096"),
        (numbers.level(20_000.0), "20,000"),
        (numbers.level(True), "yes"),
        (numbers.level("rslora"), "rslora"),
        (numbers.p_value(1e-5), "p < 0.001"),
        (numbers.p_value(0.0312), "p = 0.031"),
        (numbers.bracket("share"), " (%)"),
        (numbers.bracket("1"), ""),
    ],
)
def test_numbers_as_a_reader_likes_them(shown, expected):
    assert shown == expected
