"""Consoles for texts of users."""

from rich.console import Console


def plain_console(width: int | None = None) -> Console:
    """A console that prints names of users as they are: [red] is no style, and :x: no picture."""
    return Console(width=width, markup=False, emoji=False, highlight=False)
