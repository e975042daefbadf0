"""Words that depend on numbers."""

PLURALS = {"hypothesis": "hypotheses"}
"""Those that do not end in -s."""


def counted(n: int, noun: str) -> str:
    """`1 run`, `2 runs`, `1,000 runs`, `2 hypotheses`."""
    return f"{n:,} {noun if n == 1 else PLURALS.get(noun, f'{noun}s')}"
