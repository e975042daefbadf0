"""A guide allows every edit of a program, and nothing that is no edit of it."""

import random

import pytest
import torch
from sleep_tokens import TOKENS

from llmlab.sleep.coder.guide import Guide
from llmlab.sleep.coder.tokens import END, TO
from llmlab.sleep.koans.generated import GRAMMARS
from llmlab.sleep.koans.grammar import draft, templates
from llmlab.sleep.repair.edits import difference, read_edit

GRAMMAR = GRAMMARS["python"]
CODE = "def draw(cost):\n    return cost + cost\n"


def drafts(seed: int):
    rng = random.Random(seed)
    return [draft(template, GRAMMAR, rng) for template in rng.sample([*templates(GRAMMAR)], 100)]


def after(*names: str) -> set[str]:
    """What may follow these tokens in an edit of `CODE`."""
    allowed_V = Guide.to(CODE, TOKENS).allowed(TOKENS.encode(names))
    return {TOKENS.names[index] for index in allowed_V.nonzero().flatten().tolist()}


@pytest.mark.parametrize("seed", range(3))
def test_every_repair_of_the_grammar_is_allowed(seed):
    for each in drafts(seed):
        guide = Guide.to(each.start, TOKENS)
        answer = TOKENS.answer(difference(each.start, each.solution).text(), each.start)
        for at, token in enumerate(answer):
            assert guide.allowed(answer[:at])[token], (each.start, answer)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_drawn_is_an_edit(seed):
    random_draws = torch.Generator().manual_seed(seed)
    for each in drafts(seed):
        guide, answer = Guide.to(each.start, TOKENS), []
        while TOKENS.end not in answer:
            weights_V = guide.allowed(answer).float()
            weights_V[[TOKENS.ids[TO], TOKENS.end]] *= 20  # so that answers come to an end
            answer += torch.multinomial(weights_V, 1, generator=random_draws).tolist()
        text = TOKENS.text(answer[:-1], each.start)
        assert {*read_edit(text).lines} <= {*range(1, each.start.count("\n") + 1)}


def test_an_answer_begins_with_the_number_of_a_line():
    assert after() == {"@1", "@2"}


def test_a_span_goes_on_as_its_line_does():
    assert after("@2", "$v0") == {" + ", TO}
    assert after("@2", "$v0", " + ") == {"$v0", TO}
    assert "(" not in after("@2")


def test_what_takes_its_place_is_free_and_may_end():
    free = after("@2", "$v0", TO)
    assert {"$v0", "$v7", "(", END, "@1"} <= free
    assert not {TO, "@3", "<pad>"} & free
