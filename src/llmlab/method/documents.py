"""Parse documents written by people or other programs into plain values, or raise LabError."""

import re
import tomllib
from collections.abc import Sequence

from pydantic_core import ValidationError, from_json

from llmlab.method.errors import LabError

LONGEST_CAUSE = 200
"""Most characters of a library's error message that ours repeats."""

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""What moves a terminal's cursor or changes its colours, and ends of lines."""

LONG_KEY = re.compile(r"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){100}")
"""A dotted key a hundred tables deep; the parser's time grows with the square of the depth."""


def parse_toml(text: str, name: object) -> dict[str, object]:
    """Parse TOML into a table.

    Args:
        name: the document's name in error messages.

    Raises:
        LabError: the text is not TOML, is nested too deep, or has a number with too many digits.
    """
    too_deep = f"{name} is not valid TOML: nested too deep; write it flat."
    if LONG_KEY.search(text):
        raise LabError(too_deep)
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise LabError(too_deep) from error
    except ValueError as error:
        raise LabError(
            f"{name} is not valid TOML: {in_one_line(error)}; correct that line."
        ) from error


def parse_json(content: str | bytes, name: object) -> object:
    """Parse JSON into a value; errors as in `parse_toml`."""
    try:
        return from_json(content)
    except ValueError as error:
        raise LabError(
            f"{name} is not valid JSON: {in_one_line(error)}; correct it or write it again."
        ) from error


def in_one_line(error: object) -> str:
    """A library's error message in one line of bounded length, without a full stop."""
    text = " ".join(str(error).encode("utf-8", "backslashreplace").decode().split())
    cut = text if len(text) <= LONGEST_CAUSE else f"{text[: LONGEST_CAUSE - 3]}..."
    return cut.rstrip(".")


def escaped(text: str) -> str:
    r"""Text in one line that a terminal only shows: control characters as `\n` and `\x1b`."""
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def listed(names: Sequence[str], most: int) -> str:
    """The first names, and how many more there are: "a, b and 20 more"."""
    others = len(names) - most
    return ", ".join(names[:most]) + (f" and {others:,} more" if others > 0 else "")


def first_mistake(error: ValidationError) -> str:
    """The place and cause of the first validation error, in one line.

    For the middle of a sentence: "'steps.0.loss' is missing" or "loss: Input should be a number".
    """
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    if first["type"] == "missing":
        return f"'{place}' is missing"
    cause = in_one_line(first["msg"].removeprefix("Value error, "))
    return f"{place}: {cause}" if place else cause
