import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmlab.finetune.tasks.skills import (
    FACT_TEMPLATES,
    PHRASINGS_TRAINED,
    SKILLS,
    STRING_FUNCTIONS,
    TOKENIZER,
    Item,
    code,
    knowledge,
    math,
    new_facts,
    reasoning,
    subtraction,
)

SPLITS = {**SKILLS, "subtraction": subtraction}


@pytest.mark.parametrize("name", SPLITS)
def test_no_test_prompt_was_trained_on(name: str) -> None:
    split = SPLITS[name]()
    assert not {item.prompt for item in split.train} & {item.prompt for item in split.test}


@pytest.mark.parametrize("name", SPLITS)
def test_no_prompt_has_two_answers(name: str) -> None:
    split = SPLITS[name]()
    items = {*split.train, *split.test}
    assert len({item.prompt for item in items}) == len(items)


@pytest.mark.parametrize("name", SPLITS)
def test_a_skill_is_the_same_every_time(name: str) -> None:
    assert SPLITS[name]() == SPLITS[name]()


@pytest.mark.parametrize("name", SPLITS)
def test_every_item_can_be_tokenised(name: str) -> None:
    item = SPLITS[name]().test[0]
    text = item.prompt + item.answer
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


def test_sums_are_right() -> None:
    for item in math().test:
        a, b = item.prompt.rstrip("=").split("+")
        assert int(a) + int(b) == int(item.answer)


def test_differences_are_right() -> None:
    for item in subtraction().test:
        a, b = item.prompt.rstrip("=").split("-")
        assert int(a) - int(b) == int(item.answer)


def greater_by_search(premises: list[tuple[str, str]], pair: set[str]) -> str:
    """The one of a pair that a path of premises leads from, found without the chain."""
    above = set(premises)
    for _ in range(len(premises)):
        above |= {(a, d) for (a, b), (c, d) in itertools.product(above, above) if b == c}
    (winner,) = [a for a, b in above if {a, b} == pair]
    return winner


def test_orders_are_right_and_no_premise_gives_them_away() -> None:
    for item in reasoning().test:
        text, asked = item.prompt.rstrip("=").split(":")
        premises = [tuple(premise.split(">")) for premise in text.split(",")]
        pair = set(asked.split("?"))
        assert pair not in [set(premise) for premise in premises]
        assert greater_by_search(premises, pair) == item.answer


def test_no_chain_is_both_trained_on_and_tested() -> None:
    def chain(item: Item) -> frozenset[str]:
        return frozenset(item.prompt.split(":")[0].split(","))

    split = reasoning()
    assert not {chain(item) for item in split.train} & {chain(item) for item in split.test}


def test_string_functions_do_what_they_say() -> None:
    assert {name: function("abcd") for name, function in STRING_FUNCTIONS.items()} == {
        "rev": "dcba",
        "rot": "bcda",
        "swap": "dbca",
        "dup": "abab",
    }


@given(st.text("abcdefgh", min_size=4, max_size=4))
def test_reversal_and_swap_undo_themselves(text: str) -> None:
    for name in ("rev", "swap"):
        function = STRING_FUNCTIONS[name]
        assert function(function(text)) == text


def test_code_is_split_by_argument() -> None:
    def arguments(items: tuple[Item, ...]) -> set[str]:
        return {item.prompt.split("'")[1] for item in items}

    split = code()
    assert not arguments(split.train) & arguments(split.test)


def test_a_fact_is_trained_in_as_many_phrasings_as_its_level_says_and_tested_in_the_others() -> (
    None
):
    split = knowledge()
    trained, tested = (Counter(item.level for item in items) for items in (split.train, split.test))
    for level, n_trained in enumerate(PHRASINGS_TRAINED, start=1):
        assert trained[level] == 64 * n_trained
        assert tested[level] == 64 * (len(FACT_TEMPLATES) - n_trained)


@pytest.mark.parametrize("name", SPLITS)
def test_a_skill_is_tested_on_a_thousand_items_of_several_levels(name: str) -> None:
    test = SPLITS[name]().test
    assert len(test) >= 1000
    levels = Counter(item.level for item in test)
    assert len(levels) >= 2
    assert min(levels.values()) >= 100


@pytest.mark.parametrize("name", SPLITS)
def test_the_first_test_items_hold_every_level(name: str) -> None:
    test = SPLITS[name]().test
    assert {item.level for item in test[:50]} == {item.level for item in test}


@pytest.mark.parametrize(
    ("prompt", "level"), [("12+34=", 1), ("8+5=", 2), ("97+20=", 2), ("75+25=", 3), ("60+30=", 1)]
)
def test_the_level_of_a_sum_counts_its_carries(prompt: str, level: int) -> None:
    items = {item.prompt: item.level for item in (*math().train, *math().test)}
    assert items[prompt] == level


def test_new_facts_have_distinct_prompts_and_ignore_the_count() -> None:
    facts = new_facts(200)
    assert len({item.prompt for item in facts}) == 200
    assert facts[0].prompt == new_facts(50)[0].prompt
