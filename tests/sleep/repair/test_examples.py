"""Examples are repairs of the training part, for every family or of its own."""

import pytest

from llmlab.sleep.coder.school import koans_of
from llmlab.sleep.koans.koan import Koan
from llmlab.sleep.repair.edits import read_edit
from llmlab.sleep.repair.examples import Examples, examples_by_family, examples_for


@pytest.fixture(scope="module")
def koans() -> tuple[Koan, ...]:
    return koans_of("python", "test", 6, 0, ["keys", "loops"])


def edited(examples: Examples) -> set[str]:
    """The programs of all examples, with their edits made."""
    return {read_edit(each.edit).apply(each.code) for shown in examples.values() for each in shown}


def test_every_family_is_shown_the_same(koans: tuple[Koan, ...]) -> None:
    examples = examples_for(koans, 2)
    assert set(examples) == {"keys", "loops"}
    assert examples["keys"] == examples["loops"]
    assert len(edited(examples)) == 2


def test_each_family_is_shown_its_own(koans: tuple[Koan, ...]) -> None:
    examples = examples_by_family(koans, 2, seed=1)
    assert set(examples) == {"keys", "loops"}
    assert {each.verdict.error for each in examples["keys"]} == {"KeyError"}
    assert len(edited(examples)) == 4


def test_none_are_shown_if_none_are_asked_for(koans: tuple[Koan, ...]) -> None:
    assert examples_for(koans, 0) == examples_by_family(koans, 0, seed=0) == {}
