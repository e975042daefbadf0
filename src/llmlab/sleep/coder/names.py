"""Names by their place: the first variable of a program is `$v0`, whatever it is called.

Names do not affect a bug, so the small coder never learns them: it reads and writes places, which
are translated back.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from llmlab.sleep.koans.grammar import FUNCTIONS, TYPES, VARIABLES, VARIANTS, WORDS

KINDS = {"v": VARIABLES, "f": FUNCTIONS, "t": TYPES, "k": VARIANTS, "w": WORDS}
KIND_OF = {name: kind for kind, pool in KINDS.items() for name in pool}
PLACES = 12
"""Names of one kind that a program may have; the grammars' programs have fewer."""


def place(kind: str, number: int) -> str:
    return f"${kind}{number}"


@dataclass(frozen=True)
class Places:
    """The place of each name of a program, and back."""

    of_name: Mapping[str, str]

    def name(self, piece: str) -> str:
        """The name at a place, a new one if the program has none; other pieces as they are."""
        names = {where: name for name, where in self.of_name.items()}
        if piece in names or not re.fullmatch(r"\$[a-z]\d+", piece):
            return names.get(piece, piece)
        free = [name for name in KINDS[piece[1]] if name not in self.of_name]
        return free[int(piece[2:]) % len(free)]


def places(code: str) -> Places:
    """The places of the grammar's names, counted by kind in their order in `code`."""
    of_name: dict[str, str] = {}
    seen = dict.fromkeys(KINDS, 0)
    for word in re.findall(r"[A-Za-z_]+", code):
        kind = KIND_OF.get(word)
        if kind is not None and word not in of_name:
            of_name[word] = place(kind, seen[kind])
            seen[kind] += 1
    return Places(of_name)
