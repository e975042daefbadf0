"""Views as widgets: HTML that a script makes interactive.

The page contains the data as JSON and requests nothing, so it works without a server. Without
scripts, the widget is hidden and the still image before it remains.

The script has one file per kind of view in `assets/kinds/`, and shared ones in `assets/shared/`.
Pages load them joined, because a page opened from a file may not load modules.
"""

import base64
import html
import json
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from string import Template
from typing import Any

from pydantic import TypeAdapter

from llmlab.book.views.kinds import View
from llmlab.book.views.reading import read_view
from llmlab.method.errors import LabError

ASSETS = Path(__file__).parent / "assets"
STYLE = ASSETS / "explorer.css"

MOST_BYTES = 700_000
"""Size limit of one view, so that a page stays below a megabyte."""

# so that no token can end the script, begin a tag, or look like a renderer's placeholder
_ESCAPES = str.maketrans({sign: f"\\u{ord(sign):04x}" for sign in "<>&;`"})


def widget(name: str, raw: Mapping[str, Any], where: str) -> str:
    """A view as one line of HTML.

    Args:
        name: label of the widget.
        where: the view's name in error messages.

    Raises:
        LabError: as in `views.read_view`, or the view is too large for a page.
    """
    view = read_view(raw, where)
    data = _data(raw["kind"], view)
    if len(data) > MOST_BYTES:
        raise LabError(
            f"{where} takes {len(data) / 1e6:.1f} MB, more than the limit of "
            f"{MOST_BYTES / 1e6:.1f} MB; use fewer texts, tokens or checkpoints."
        )
    label = html.escape(name, quote=True)
    return (
        f'<div class="explorer" role="group" aria-label="{label}" hidden>'
        f'<script type="application/json">{data}</script></div>'
    )


def script() -> str:
    """The script that mounts all widgets of a page."""
    shared, of_kinds = (sorted((ASSETS / room).glob("*.js")) for room in ("shared", "kinds"))
    parts = [path.read_text(encoding="utf-8") for path in (*shared, *of_kinds, ASSETS / "page.js")]
    return '"use strict";\n\n(() => {\n' + "\n".join(parts) + "})();\n"


def raw_html(text: str) -> str:
    """HTML as raw Markdown, shown on screen only."""
    return f"```{{=html}}\n{text}\n```"


def standalone_page(title: str, views: Mapping[str, Mapping[str, Any]]) -> str:
    """A self-contained HTML page with a widget for each view.

    Args:
        views: by the heading above each.

    Raises:
        LabError: as in `widget`.
    """
    sections = [
        f"<section><h2>{html.escape(name)}</h2>{widget(name, view, f'the view {name!r}')}</section>"
        for name, view in views.items()
    ]
    page = Template((ASSETS / "explorer.html").read_text(encoding="utf-8"))
    return page.substitute(
        title=html.escape(title),
        style=STYLE.read_text(encoding="utf-8"),
        sections="\n".join(sections),
        script=script(),
    )


def _data(kind: str, view: View) -> str:
    """The view as ASCII JSON that is safe inside a script element."""
    packed = {"kind": kind, **_packed(TypeAdapter(type(view)).dump_python(view))}
    if view.opening is not None:
        packed["start"] = view.opening
    return json.dumps(packed, separators=(",", ":"), allow_nan=False).translate(_ESCAPES)


def _packed(value: Any) -> Any:
    """Plain JSON with attention as base64 bytes, a third of the size."""
    if isinstance(value, Mapping):
        return {
            key: _bytes(part) if key == "weights" else _packed(part) for key, part in value.items()
        }
    if isinstance(value, list | tuple):
        return [_packed(part) for part in value]
    return value


def _bytes(weights: list) -> dict[str, Any]:
    """Weights as base64, one byte each, by layer, head, query and key, in that order."""
    rows = chain.from_iterable(chain.from_iterable(weights))
    content = bytes(chain.from_iterable(rows))
    return {
        "layers": len(weights),
        "heads": len(weights[0]),
        "bytes": base64.b64encode(content).decode("ascii"),
    }
