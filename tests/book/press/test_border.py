"""Files that people wrote: what is wrong in one is one sentence."""

import pytest

from llmlab.book.press.border import parse_python, parse_yaml
from llmlab.method.errors import LabError


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{a: " * 100_000, "nested too deep"),
        ("- " * 5000, "nested too deep"),
        ("a: " + "[" * 600 + "]" * 600, "nested too deep"),
        ("a: " + "9" * 6000, "Exceeds the limit"),
        ("a: &a [1]\nb: *a", "an alias"),
        ("a: 2024-99-99", "month must be in 1..12"),
        ("a: !!python/object:os.system x", "could not determine a constructor"),
        ("a: 1\n\tb: 2", "cannot start any token"),
    ],
    ids=["maps", "dashes", "lists", "digits", "alias", "date", "tag", "tab"],
)
def test_what_is_no_yaml_is_one_sentence(text: str, says: str) -> None:
    with pytest.raises(LabError, match=f"^x.yml is not valid YAML: .*{says}.*; ") as caught:
        parse_yaml(text, "x.yml")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("text", ["(" * 5000, "x = " + "-" * 100_000 + "1", "\x00", "9" * 6000])
def test_what_is_no_python_is_one_sentence(text: str) -> None:
    with pytest.raises(LabError, match=r"^x.py.* is not Python: ") as caught:
        parse_python(text, "x.py")
    assert "\n" not in str(caught.value)
