import pytest

from llmlab.method.wording import counted


@pytest.mark.parametrize(
    ("n", "noun", "words"),
    [
        (0, "step", "0 steps"),
        (1, "step", "1 step"),
        (1234, "step", "1,234 steps"),
        (1, "hypothesis", "1 hypothesis"),
        (2, "hypothesis", "2 hypotheses"),
    ],
)
def test_a_noun_agrees_with_its_number(n: int, noun: str, words: str) -> None:
    assert counted(n, noun) == words
