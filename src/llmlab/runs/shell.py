"""Commands that a message offers."""

import shlex


def command(*parts: object) -> str:
    """A command between backticks, quoted so that it can be pasted: paths may hold spaces."""
    return f"`{shlex.join(map(str, parts))}`"
