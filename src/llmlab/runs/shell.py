"""Shell commands for messages."""

import shlex
from pathlib import Path


def command(*parts: object) -> str:
    """A command in backticks, as by `pasted`."""
    return f"`{pasted(*parts)}`"


def pasted(*parts: object) -> str:
    """A command that can be pasted even if a path has spaces, or begins as an option does."""
    return shlex.join(map(_argument, parts))


def _argument(part: object) -> str:
    is_like_option = isinstance(part, Path) and str(part).startswith("-")
    return f"./{part}" if is_like_option else str(part)
