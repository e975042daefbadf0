"""A grammar of small broken programs.

A *core* is one bug in a few lines, a *context* is where those lines stand: straight in a function,
in a branch, in a loop. Every core in every context is a *template*; filling its placeholders with
names, numbers and filler lines gives any number of programs of the same structure. A bug and its
repair stand in one text: `let $b = «$a¦$a.clone()»;` is broken with the first part and green with
the second.

A placeholder's letter says what it stands for: f g h functions, T U types, V W X variants,
x y fields, w u words, m n o numbers, all others variables.
"""

import random
import re
import string
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

ALTERNATIVES = re.compile(r"«([^¦«»]*)¦([^¦«»]*)»")
RESULT = "=> "
"""Begins the last line of a core: the value that its function gives."""


def words(text: str) -> list[str]:
    return text.split()


VARIABLES = words(
    "age area base body cell cost count depth edge gain goal height index item left level limit "
    "mass pace part place point price rank rate right row score seat side size speed step time "
    "total turn value weight width"
)
FUNCTIONS = words("add bend build call draw find fold lift make mix pick run scan show take")
TYPES = words("Ball Book Card Coin Lamp Note Road Ship Shop Tree")
VARIANTS = words("Blue Cold Dark Fast Green Hot Light Old Red Slow")
WORDS = words("ant bee cat dog elk fox hen owl pig rat")
NUMBERS = words("2 3 4 5 6 7 8 9")
POOLS = {
    **dict.fromkeys("fgh", FUNCTIONS),
    **dict.fromkeys("TU", TYPES),
    **dict.fromkeys("VWX", VARIANTS),
    **dict.fromkeys("wu", WORDS),
    **dict.fromkeys("mno", NUMBERS),
}
ALL_POOLS = (VARIABLES, FUNCTIONS, TYPES, VARIANTS, WORDS, NUMBERS)
NAMES = frozenset(chain.from_iterable(ALL_POOLS))
PLACEHOLDER = re.compile(r"\$\{?([a-zA-Z])\b\}?")


@dataclass(frozen=True)
class Core:
    """One bug.

    Attributes:
        error: why its broken form is red.
        lines: of the function, `$p` being its argument; the last begins with `=> `.
        items: what stands before the function.
    """

    error: str
    lines: str
    items: str = ""


Context = Callable[[list[str], str], list[str]]
"""The lines of the function around a core's lines and its result."""


@dataclass(frozen=True)
class Grammar:
    """The programs of one language.

    Attributes:
        families: their cores.
        hints: advice for each family.
        contexts: where a core may stand, by name.
        function: the lines of a function, given its body.
        filler: lines that do nothing, to put before the others.
        indent: of the lines of a block.
    """

    families: Mapping[str, tuple[Core, ...]]
    hints: Mapping[str, str]
    contexts: Mapping[str, Context]
    function: Callable[[list[str]], list[str]]
    filler: tuple[str, ...]


@dataclass(frozen=True)
class Template:
    """One structure of broken programs; `text` holds placeholders and alternatives."""

    name: str
    family: str
    error: str
    text: str


@dataclass(frozen=True)
class Draft:
    """A program and its repair, filled in and not yet verified; `function` is what to call."""

    template: Template
    start: str
    solution: str
    function: str


def templates(grammar: Grammar) -> Iterator[Template]:
    """All templates, family by family."""
    for family, cores in grammar.families.items():
        for number, core in enumerate(cores):
            for name, context in grammar.contexts.items():
                text = _text(core, context, grammar)
                yield Template(f"{family}-{number}-{name}", family, core.error, text)


def _text(core: Core, context: Context, grammar: Grammar) -> str:
    *lines, result = core.lines.strip("\n").split("\n")
    body = context(lines, result.removeprefix(RESULT))
    items = core.items.strip("\n").split("\n") if core.items else []
    return "\n".join([*items, *grammar.function(body)]) + "\n"


def draft(template: Template, grammar: Grammar, rng: random.Random) -> Draft:
    """Fill a template with names, numbers and up to two lines of filler."""
    text = _with_filler(template.text, grammar.filler, rng)
    letters = sorted(set(PLACEHOLDER.findall(text)))
    names = _names(letters, rng)
    start, solution = (
        string.Template(ALTERNATIVES.sub(rf"\{part}", text)).substitute(names) for part in (1, 2)
    )
    return Draft(template, start, solution, names["f"])


def _names(letters: list[str], rng: random.Random) -> dict[str, str]:
    """A name for each letter, no two alike."""
    left = {id(pool): rng.sample(pool, len(pool)) for pool in ALL_POOLS}
    return {letter: left[id(POOLS.get(letter, VARIABLES))].pop() for letter in letters}


def _with_filler(text: str, filler: tuple[str, ...], rng: random.Random) -> str:
    """The text with lines of filler at the top of its last function."""
    lines = text.split("\n")
    top = max(at for at, line in enumerate(lines) if "$f(" in line) + 1
    chosen = rng.sample(filler, rng.randrange(3))
    return "\n".join([*lines[:top], *chosen, *lines[top:]])


def structure(code: str) -> str:
    """The code with the grammar's names, numbers and words by their order of appearance.

    Two programs of one structure differ in nothing but what things are called.
    """
    order: dict[str, str] = {}

    def renamed(match: re.Match[str]) -> str:
        word = match.group()
        return order.setdefault(word, f"_{len(order)}") if word in NAMES else word

    return re.sub(r"\w+", renamed, code)


def indented(lines: list[str], depth: int = 1) -> list[str]:
    return [f"{'    ' * depth}{line}" for line in lines]
