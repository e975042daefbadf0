import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmlab.method.declare.experiment import Value
from llmlab.method.levels import label, level, scientific


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (2e-4, "2e-4"),
        (0.0015, "1.5e-3"),
        (0.2, "0.2"),
        (0.0, "0"),
        (4096, "4,096"),
        (True, "yes"),
        (False, "no"),
        ("rslora", "rslora"),
    ],
)
def test_a_level_is_written_as_people_write_it(value: Value, shown: str) -> None:
    assert level(value) == shown


@given(st.floats(min_value=1e-9, max_value=1e9))
def test_a_written_level_is_the_level(value: float) -> None:
    assert math.isclose(float(level(value).replace(",", "")), value, rel_tol=6e-3)


def test_only_a_learning_rate_is_in_powers_of_ten_from_a_hundredth_on() -> None:
    assert level(0.05, "learning_rate") == "5e-2"
    assert level(0.05, "replay") == "0.05"
    assert level(0.005, "replay") == "5e-3"


def test_a_small_negative_number_has_a_typographic_minus() -> None:
    assert scientific(-0.00025) == "−2.5e-4"


def test_a_column_is_named_in_words() -> None:
    assert label("learning_rate") == "learning rate"
    assert label("n_layers") == "layers"
    assert label("brier_skill") == "Brier skill"
