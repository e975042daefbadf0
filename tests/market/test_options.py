import pytest

from llmlab.market.options import read_budget
from llmlab.method.errors import LabError


@pytest.mark.parametrize(
    ("text", "count"), [("2k", 2000), ("1.5M", 1_500_000), ("2B", 2 * 10**9), ("700", 700)]
)
def test_a_budget_is_read(text: str, count: int) -> None:
    assert read_budget(text) == count


@pytest.mark.parametrize("text", ["", "k", "two", "-2k", "0", "nan", "2kk"])
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(LabError, match="--budget"):
        read_budget(text)
