"""Check a rendered book: nothing missing, no broken links, no external requests."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from llmlab.book.press.contents import Contents
from llmlab.method.errors import LabError
from llmlab.method.files import read_text

UNRESOLVED = re.compile(r"\?@?(?:fig|tbl|sec|eq)-[\w-]+|@(?:fig|tbl|sec|eq)-[\w-]+|\?\?\?")
"""What a renderer writes for an unresolved reference."""

_CSS_URL = re.compile(r"""(?:url\(\s*|@import\s+(?!url))['"]?([^'")\s;]+)""")
_LOADED = {
    "script": "src", "img": "src", "iframe": "src", "source": "src", "audio": "src",
    "video": "src", "embed": "src", "object": "data",
}  # fmt: skip
_LOADING_RELS = {"stylesheet", "icon", "preload", "modulepreload", "prefetch", "preconnect"}
_NOT_TEXT = {"script", "style", "code", "pre", "annotation"}


@dataclass
class _Page(HTMLParser):
    """The ids, links, loaded files, images and text of one page."""

    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    images_without_text: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    cited: list[str] = field(default_factory=list)
    _silent: int = 0
    _in_style: bool = False

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self._silent += tag in _NOT_TEXT
        self._in_style = tag == "style"
        if "id" in found:
            self.ids.add(found["id"])
        self.cited += found.get("data-cites", "").split()
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag == "link" and _LOADING_RELS & set(found.get("rel", "").split()):
            self.loads.append(found.get("href", ""))
        if _LOADED.get(tag) in found:
            self.loads.append(found[_LOADED[tag]])
        self.loads += [part.split()[0] for part in found.get("srcset", "").split(",") if part]
        self.loads += _CSS_URL.findall(found.get("style", ""))
        if tag == "img" and not found.get("alt"):
            self.images_without_text.append(found.get("src", ""))

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in _NOT_TEXT
        self._in_style = False

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.loads += _CSS_URL.findall(data)
        if not self._silent:
            self.text.append(data)


def require_rendered(folder: Path) -> None:
    """Raise LabError if there is no rendered book in `folder`."""
    if not (folder / "index.html").is_file():
        raise LabError(f"{folder} holds no rendered book; run `llmlab book render` first.")


def is_preview(folder: Path) -> bool:
    """Whether the preview renderer wrote the book in `folder`, rather than Quarto."""
    require_rendered(folder)
    return 'name="generator" content="llmlab' in read_text(folder / "index.html")


def check_site(folder: Path, contents: Contents) -> tuple[str, ...]:
    """All problems of the rendered book in `folder`, one sentence each.

    Raises:
        LabError: there is no rendered book.
    """
    require_rendered(folder)
    pages = _pages(folder)
    return (
        *_missing(folder, contents),
        *_unresolved(pages, folder),
        *(problem for path in pages for problem in _page_problems(path, pages, folder.resolve())),
        *_style_problems(folder),
    )


def incomplete(folder: Path, contents: Contents) -> tuple[str, ...]:
    """What a renderer left out of the book in `folder`: pages, the PDF, targets of references."""
    return (*_missing(folder, contents), *_unresolved(_pages(folder), folder))


def _pages(folder: Path) -> dict[Path, _Page]:
    return {path.resolve(): _read(path) for path in sorted(folder.rglob("*.html"))}


def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def _missing(folder: Path, contents: Contents) -> Iterator[str]:
    for chapter in contents.chapters:
        if not (folder / chapter.page).is_file():
            yield f"{chapter.page} is missing"
    if not (folder / contents.pdf).is_file():
        yield f"{contents.pdf} is missing"


def _page_problems(path: Path, pages: dict[Path, _Page], folder: Path) -> Iterator[str]:
    page, name = pages[path], path.relative_to(folder)
    for link in page.links:
        problem = _link_problem(link, path, pages, folder)
        if problem:
            yield f"{name} links to {link}, {problem}"
    for load in page.loads:
        if _is_outside(load):
            yield f"{name} loads {load} from outside"
        elif not load.startswith("data:") and not _target(load, path).exists():
            yield f"{name} loads {load}, which does not exist"
    for image in page.images_without_text:
        yield f"{name} shows {image} without alternative text"


def _unresolved(pages: dict[Path, _Page], folder: Path) -> Iterator[str]:
    """Unresolved references and citations."""
    listed = {name for page in pages.values() for name in page.ids if name.startswith("ref-")}
    for path, page in pages.items():
        name = path.relative_to(folder.resolve())
        for found in UNRESOLVED.findall(" ".join(page.text)):
            yield f"{name} has the unresolved reference {found}"
        for key in dict.fromkeys(page.cited):
            if f"ref-{key}" not in listed and not UNRESOLVED.match(f"@{key}"):
                yield f"{name} cites {key}, which is not in the list of references"


def _link_problem(link: str, path: Path, pages: dict[Path, _Page], folder: Path) -> str | None:
    """The problem of an internal link; None for a good link and for an external one."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return None
    target = _target(link, path)
    if not target.is_relative_to(folder):
        return None  # another version of the book
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return "which does not exist"
    if parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
        return "but that page has no such anchor"
    return None


def _target(link: str, path: Path) -> Path:
    """The file that a relative link on the page `path` leads to."""
    way = unquote(urlsplit(link).path)
    return (path.parent / way).resolve() if way else path


def _is_outside(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme in {"http", "https"} or bool(parts.netloc)


def _style_problems(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*.css")):
        for address in _CSS_URL.findall(path.read_text(encoding="utf-8")):
            if _is_outside(address):
                yield f"{path.relative_to(folder)} loads {address} from outside"
