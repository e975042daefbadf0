"""Shell commands for messages."""

import shlex


def command(*parts: object) -> str:
    """A command in backticks, quoted so that it can be pasted even if a path has spaces."""
    return f"`{shlex.join(map(str, parts))}`"
