import json
import math
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from llmlab.method.json_values import json_value, printable


@dataclass(frozen=True)
class Row:
    name: str
    values: tuple[float, ...]


def test_each_kind_of_value() -> None:
    given = {
        "row": Row("a", (1.0, math.nan, -math.inf)),
        "when": date(2025, 1, 2),
        "where": Path("a/b"),
        "array": np.array([[1, 2]]),
        "flag": np.bool_(True),
        3: None,
    }
    assert json_value(given) == {
        "row": {"name": "a", "values": [1.0, None, None]},
        "when": "2025-01-02",
        "where": "a/b",
        "array": [[1, 2]],
        "flag": True,
        "3": None,
    }


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates()
values = st.recursive(
    leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10
)


@given(values)
def test_whatever_it_is_json_can_hold_it(value: object) -> None:
    plain = json_value(value)
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain


@given(st.text(st.characters() | st.characters(categories=["Cs"])))
@example("\ud800")
@example("caf\udce9")
def test_text_becomes_unicode_and_unicode_stays(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        assert printable(text).encode()
    else:
        assert printable(text) == text
