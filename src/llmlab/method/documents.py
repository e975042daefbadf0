"""Documents that people or other programs wrote: plain values, or a sentence that says why not."""

import re
import tomllib

from pydantic_core import ValidationError, from_json

from llmlab.method.errors import LabError

LONGEST_CAUSE = 200
"""Characters of what a library says of a mistake that a message repeats."""

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""What moves a terminal's cursor or changes its colours, and ends of lines."""

LONG_KEY = re.compile(r"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){100}")
"""A dotted key of a hundred tables, each in the other; the parser takes time with their square."""


def parse_toml(text: str, name: object) -> dict[str, object]:
    """The table that TOML holds.

    Args:
        name: what a message calls the document.

    Raises:
        LabError: it is not TOML, nested too deep, or has a number of more digits than Python reads.
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
    """The value that JSON holds; errors as `parse_toml`."""
    try:
        return from_json(content)
    except ValueError as error:
        raise LabError(
            f"{name} is not valid JSON: {in_one_line(error)}; correct it or write it again."
        ) from error


def in_one_line(error: object) -> str:
    """What a library says of a mistake, in one line of bounded length, without a full stop."""
    return " ".join(str(error).split())[:LONGEST_CAUSE].rstrip(".")


def escaped(text: str) -> str:
    r"""Text in one line that a terminal only shows: control characters as `\n` and `\x1b`."""
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def first_mistake(error: ValidationError) -> str:
    """Of what does not fit a model, the first place and what is wrong there, in one line."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    return in_one_line(f"{place}: {first['msg']}".removeprefix(": "))
