import random
from collections import Counter

import pytest

from llmlab.sleep.koans.generated import GRAMMARS
from llmlab.sleep.koans.grammar import draft, structure, templates
from llmlab.sleep.koans.koan import Language

LANGUAGES = list(GRAMMARS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_family_has_twenty_templates_or_more(language: Language) -> None:
    counts = Counter(template.family for template in templates(GRAMMARS[language]))
    assert len(counts) >= 10
    assert min(counts.values()) >= 20


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_templates_have_one_structure(language: Language) -> None:
    grammar = GRAMMARS[language]
    bare = [
        structure(draft(template, grammar, Unfilled(0)).start) for template in templates(grammar)
    ]
    assert len(set(bare)) == len(bare)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_family_has_a_hint(language: Language) -> None:
    assert set(GRAMMARS[language].hints) == set(GRAMMARS[language].families)


def test_structure_forgets_what_things_are_called_and_nothing_else() -> None:
    assert structure("let cost = rate;") == structure("let rate = cost;")
    assert structure("let cost = rate;") != structure("let cost = cost;")
    assert structure("let cost = rate;") != structure("let cost = &rate;")


class Unfilled(random.Random):
    """Draws no filler."""

    def randrange(self, *_: int) -> int:
        return 0
