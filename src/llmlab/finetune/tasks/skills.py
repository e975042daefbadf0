"""Four small skills and two new tasks, each with an exact answer.

A skill makes all its items in a fixed order that depends on nothing but the code, and cuts them
into disjoint train and test items, at least 1,000 of them to test on. An item is a prompt, its one
right answer and a level of difficulty; the grader is string equality.
"""

import itertools
import random
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from llmlab.gpt.text.character_tokenizer import CharTokenizer

END = "\n"
"""Ends every answer, so that a longer wrong answer cannot start with the right one."""

TOKENIZER = CharTokenizer(END + string.digits + string.ascii_letters + " +-=?>,.:;()'*/")


@dataclass(frozen=True)
class Item:
    """One question; `prompt + answer + END` is what a model reads.

    Attributes:
        level: 1 for the easiest items of a skill.
    """

    prompt: str
    answer: str
    level: int = 1


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
    """Two-digit addition: all sums of two numbers from 0 to 99, such as `47+38=` → `85`.

    The level is one more than the number of carries.
    """
    pairs = itertools.product(range(100), repeat=2)
    items = [Item(f"{a}+{b}=", str(a + b), 1 + _carries(a, b)) for a, b in pairs]
    return _shuffled_split(items, n_test=1000)


def _carries(a: int, b: int) -> int:
    """Carries in the sum of two numbers of at most two digits."""
    return (a % 10 + b % 10 > 9) + (a + b > 99)


def reasoning() -> Split:
    """Transitive order: `b>d,a>b,c>a:d?c=` → `c`, the greater of two that no premise compares.

    The split is by chain, so that no order of four letters is both trained on and tested. The level
    is the number of letters between the two that are asked for.
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
    far_pairs = [(0, 2), (0, 3), (1, 3)]
    for order in orders:
        high, low = rng.choice(far_pairs)
        greater, less = chain[high], chain[low]
        asked = rng.choice([(greater, less), (less, greater)])
        prompt = f"{','.join(order)}:{asked[0]}?{asked[1]}="
        yield Item(prompt, greater, level=low - high - 1)


STRING_FUNCTIONS: dict[str, Callable[[str], str]] = {
    "rev": lambda text: text[::-1],
    "rot": lambda text: text[1:] + text[0],
    "swap": lambda text: text[-1] + text[1:-1] + text[0],
    "dup": lambda text: text[:2] * 2,
}
MOVING_ALL = ("rev", "rot")
"""Functions that leave no letter in its place."""


def code() -> Split:
    """What a string function returns: `rev('abcd')=` → `dcba`; the split is by argument.

    Level 1 leaves two of the four letters in their places, level 2 none.
    """
    rng = random.Random(0)
    arguments = ["".join(letters) for letters in itertools.product("abcdefgh", repeat=4)]
    rng.shuffle(arguments)

    def items(chosen: list[str]) -> tuple[Item, ...]:
        return tuple(
            Item(f"{name}('{argument}')=", function(argument), 2 if name in MOVING_ALL else 1)
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
    "{} is led by=",
    "centre of {}=",
    "{}'s centre=",
    "from {} go to=",
    "{} chose=",
    "heart of {}=",
    "{}, ruled by=",
    "where in {}?=",
)
PHRASINGS_TRAINED = (10, 6)
"""In how many of the phrasings a fact of level 1 or 2 is trained."""


def _names(rng: random.Random, count: int, syllables: int) -> list[str]:
    """Distinct made-up names, consonant and vowel by turns."""
    names: dict[str, None] = {}
    while len(names) < count:
        name = "".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(syllables))
        names.setdefault(name)
    return list(names)


def knowledge() -> Split:
    """128 made-up facts in sixteen phrasings: `capital of zobu=` → `kira`.

    Each fact is tested in the phrasings that it is not trained in, so that a right answer was never
    seen after that very prompt. Facts of level 1 are trained in many phrasings, of level 2 in few.
    """
    rng = random.Random(0)
    countries, capitals = _names(rng, 128, syllables=2), _names(rng, 128, syllables=2)
    train, test = [], []
    for index, (country, capital) in enumerate(zip(countries, capitals, strict=True)):
        level = 1 + index % 2
        items = [Item(template.format(country), capital, level) for template in FACT_TEMPLATES]
        rng.shuffle(items)
        n_trained = PHRASINGS_TRAINED[level - 1]
        train += items[:n_trained]
        test += items[n_trained:]
    rng.shuffle(test)
    return Split(tuple(train), tuple(test))


def subtraction() -> Split:
    """A new skill beside addition: `85-38=` → `47`, never below zero; level 2 has to borrow."""
    pairs = [(a, b) for a in range(100) for b in range(a + 1)]
    items = [Item(f"{a}-{b}=", str(a - b), 1 + (a % 10 < b % 10)) for a, b in pairs]
    return _shuffled_split(items, n_test=1000)


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
