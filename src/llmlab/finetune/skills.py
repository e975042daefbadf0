"""Four small skills and two new tasks, each with an exact answer.

A skill makes all its items in a fixed order that depends on nothing but the code, and cuts them
into disjoint train and test items. An item is a prompt and its one right answer; the grader is
string equality.
"""

import itertools
import random
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from llmlab.gpt.tokenizer import CharTokenizer

END = "\n"
"""Ends every answer, so that a longer wrong answer cannot start with the right one."""

TOKENIZER = CharTokenizer(END + string.digits + string.ascii_letters + " +-=?>,.:;()'*/")


@dataclass(frozen=True)
class Item:
    """One question; `prompt + answer + END` is what a model reads."""

    prompt: str
    answer: str


@dataclass(frozen=True)
class Split:
    """Items to train on and items to test on; no prompt is in both."""

    train: tuple[Item, ...]
    test: tuple[Item, ...]


def _shuffled_split(items: list[Item], n_test: int) -> Split:
    """The last `n_test` of the items in a shuffled order are for testing."""
    random.Random(0).shuffle(items)
    return Split(tuple(items[:-n_test]), tuple(items[-n_test:]))


def math() -> Split:
    """Two-digit addition: all sums of two numbers from 0 to 99, such as `47+38=` → `85`."""
    pairs = itertools.product(range(100), repeat=2)
    return _shuffled_split([Item(f"{a}+{b}=", str(a + b)) for a, b in pairs], n_test=1000)


def reasoning() -> Split:
    """Transitive order: `b>d,a>b,c>a:d?c=` → `c`, the greater of two that no premise compares.

    The split is by chain, so that no order of four letters is both trained on and tested.
    """
    rng = random.Random(0)
    chains = list(itertools.permutations("abcdefgh", 4))
    rng.shuffle(chains)
    return Split(
        train=tuple(item for chain in chains[250:] for item in _order_items(chain, 6, rng)),
        test=tuple(item for chain in chains[:250] for item in _order_items(chain, 4, rng)),
    )


def _order_items(chain: tuple[str, ...], n_items: int, rng: random.Random) -> Iterator[Item]:
    premises = [f"{greater}>{less}" for greater, less in itertools.pairwise(chain)]
    orders = rng.sample(list(itertools.permutations(premises)), n_items)
    far_pairs = [(chain[0], chain[2]), (chain[0], chain[3]), (chain[1], chain[3])]
    for order in orders:
        greater, less = rng.choice(far_pairs)
        asked = rng.choice([(greater, less), (less, greater)])
        yield Item(f"{','.join(order)}:{asked[0]}?{asked[1]}=", greater)


STRING_FUNCTIONS: dict[str, Callable[[str], str]] = {
    "rev": lambda text: text[::-1],
    "rot": lambda text: text[1:] + text[0],
    "swap": lambda text: text[-1] + text[1:-1] + text[0],
    "dup": lambda text: text[:2] * 2,
}


def code() -> Split:
    """What a string function returns: `rev('abcd')=` → `dcba`; the split is by argument."""
    rng = random.Random(0)
    arguments = ["".join(letters) for letters in itertools.product("abcdefgh", repeat=4)]
    rng.shuffle(arguments)

    def items(chosen: list[str]) -> tuple[Item, ...]:
        return tuple(
            Item(f"{name}('{argument}')=", function(argument))
            for argument in chosen
            for name, function in STRING_FUNCTIONS.items()
        )

    return Split(train=items(arguments[250:]), test=items(arguments[:250]))


FACT_TEMPLATES = (
    "capital of {}=",
    "{}:capital=",
    "{} capital?=",
    "seat of {}=",
    "{}'s seat=",
    "who leads {}?=",
    "{} main city=",
    "city of {}:=",
)


def _names(rng: random.Random, count: int, syllables: int) -> list[str]:
    """Distinct made-up names, consonant and vowel by turns."""
    names: dict[str, None] = {}
    while len(names) < count:
        name = "".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(syllables))
        names.setdefault(name)
    return list(names)


def knowledge() -> Split:
    """64 made-up facts in eight phrasings: `capital of zobu=` → `kira`.

    Each fact is tested in one phrasing and trained in the other seven, so that a right answer was
    never seen after that very prompt.
    """
    rng = random.Random(0)
    countries, capitals = _names(rng, 64, syllables=2), _names(rng, 64, syllables=2)
    train, test = [], []
    for index, (country, capital) in enumerate(zip(countries, capitals, strict=True)):
        for number, template in enumerate(FACT_TEMPLATES):
            held_out = number == index % len(FACT_TEMPLATES)
            (test if held_out else train).append(Item(template.format(country), capital))
    return Split(tuple(train), tuple(test))


def subtraction() -> Split:
    """A new skill beside addition: `85-38=` → `47`, never below zero."""
    pairs = [(a, b) for a in range(100) for b in range(a + 1)]
    return _shuffled_split([Item(f"{a}-{b}=", str(a - b)) for a, b in pairs], n_test=1000)


def new_facts(count: int) -> tuple[Item, ...]:
    """`count` random associations to be memorised: `*bako=` → `tz7q`.

    Answers are four random letters and digits, so that nothing but memory can give them:
    log2(36⁴) = 20.7 bits each.
    """
    rng = random.Random(1)
    letters = string.ascii_lowercase + string.digits
    return tuple(
        Item(f"*{name}=", "".join(rng.choices(letters, k=4)))
        for name in _names(rng, count, syllables=2)
    )


SKILLS: dict[str, Callable[[], Split]] = {
    "math": math,
    "reasoning": reasoning,
    "code": code,
    "knowledge": knowledge,
}
"""What the base model knows before any fine-tuning."""
