"""Markdown that both renderers understand: values, badges, boxes, tables, folded details."""

import re
from collections.abc import Iterable, Sequence

from IPython.display import Markdown

NOTHING = "–"
"""Content of an empty table cell."""
NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
BEFORE_A_UNIT = re.compile(r"(?<=\d) (?!to\b)")


def value_span(text: str, provenance: str) -> str:
    """A number with its source, shown on hover on screen and as a footnote in print.

    A line may break in it, as before "to" or "claimed", but not between a number and its unit.
    """
    return f'[{BEFORE_A_UNIT.sub(NO_BREAK_SPACE, text)}]{{.value title="{attribute(provenance)}"}}'


def badge(word: str, kind: str) -> str:
    """A word with a sign and a colour; `kind` is a class of the style sheet."""
    return f"[{word}]{{.badge .{kind}}}"


def box(classes: Sequence[str], parts: Iterable[str], **attributes: str) -> str:
    """A fenced div around paragraphs, without empty ones."""
    named = "".join(f' {name}="{attribute(text)}"' for name, text in attributes.items())
    body = "\n\n".join(part for part in parts if part)
    return f"::: {{{' '.join(f'.{name}' for name in classes)}{named}}}\n\n{body}\n\n:::"


def details(summary: str, *parts: str) -> str:
    """Content folded on screen and set in small type in print."""
    return box(["details"], parts, summary=summary)


def pipe_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], numeric: Iterable[int] = ()
) -> str:
    """A Markdown table; columns with indices in `numeric` are right-aligned."""
    right = set(numeric)
    rule = ["--:" if place in right else ":--" for place in range(len(header))]
    lines = [header, rule, *([cell(text) for text in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code_block(command: str) -> str:
    """A command to copy."""
    return f"```bash\n{command}\n```"


def bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def join(*parts: str) -> Markdown:
    """Join paragraphs into one output, without empty ones."""
    return Markdown("\n\n".join(part for part in parts if part))


def cell(text: str) -> str:
    """Escape text for a table cell."""
    return text.replace("|", "\\|").replace("\n", " ")


def attribute(text: str) -> str:
    """Escape text for a quoted attribute."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
