"""Measure the bytes that a server sends for a page, with texts and vector images gzipped."""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from llmlab.method.files import read_text

MOST_KB = 500
"""Limit for a page with styles, scripts, images, and all fonts that its styles name."""

PACKED = frozenset({".css", ".js", ".svg"})

_DATA = re.compile(r'<script type="application/json">.*?</script>', re.DOTALL)
_FONT = re.compile(r'url\(["\']?([^"\')]+\.woff2?)["\']?\)')
_LOADED = re.compile(
    r'<(?:script|img)\b[^>]*?\bsrc="([^"]+)"|<link\b[^>]*?rel="stylesheet"[^>]*?href="([^"]+)"'
)


def heavy_pages(folder: Path) -> Iterator[str]:
    """The pages that are too heavy, one sentence each; explorers' data do not count."""
    for path in sorted(folder.rglob("*.html")):
        kilobytes = weight(path) / 1000
        if kilobytes > MOST_KB:
            yield f"{path.relative_to(folder)} weighs {kilobytes:.0f} KB; the limit is {MOST_KB} KB"


def weight(page: Path) -> int:
    """Bytes sent for a page and the files of the book that it loads."""
    text = without_data(read_text(page))
    sources = {first or second for first, second in _LOADED.findall(text)}
    ways = {unquote(urlsplit(source).path) for source in sources if not source.startswith("data:")}
    files = {(page.parent / way).resolve() for way in ways}
    files |= {font for file in files if file.suffix == ".css" for font in _fonts(file)}
    return len(gzip.compress(text.encode())) + sum(_sent(file) for file in files if file.is_file())


def _fonts(style: Path) -> set[Path]:
    """The fonts that a stylesheet names; a browser loads those that a page uses."""
    names = _FONT.findall(read_text(style)) if style.is_file() else []
    return {(style.parent / name).resolve() for name in names}


def _sent(file: Path) -> int:
    """Bytes that a server sends for a file."""
    content = file.read_bytes()
    return len(gzip.compress(content)) if file.suffix in PACKED else len(content)


def without_data(text: str) -> str:
    """A page without the data of its explorers."""
    return _DATA.sub("", text)
