import pytest

from llmlab.method.wording import counted


@pytest.mark.parametrize(
    ("n", "words"), [(0, "0 steps"), (1, "1 step"), (2, "2 steps"), (1234, "1,234 steps")]
)
def test_a_noun_agrees_with_its_number(n: int, words: str) -> None:
    assert counted(n, "step") == words
