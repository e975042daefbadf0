"""Words that depend on numbers."""


def counted(n: int, noun: str) -> str:
    """`1 run`, `2 runs`, `1,000 runs`, for a noun whose plural ends in -s."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
