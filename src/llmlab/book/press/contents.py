"""What the book holds, in which order: `_quarto.yml` says it to both renderers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from llmlab.method.errors import LabError
from llmlab.method.project import Project

CONFIG = "_quarto.yml"
FRONT_PAGE = "index"

ASSETS = Path(__file__).parent / "assets"
"""Templates, filters, styles, scripts and fonts of the book."""


@dataclass(frozen=True)
class Chapter:
    """One chapter.

    Attributes:
        name: path without suffix below `chapters/`, such as "concepts/lora".
        part: title of the part that it stands in; "" before the first part.
        source: the percent script.
        notebook: where its executed notebook lies.
    """

    name: str
    part: str
    appendix: bool
    source: Path
    notebook: Path

    @property
    def page(self) -> str:
        """Path of its page below the site's folder."""
        return f"{self.name}.html"

    def executed(self) -> Path:
        """Its notebook.

        Raises:
            LabError: the chapter has not been executed.
        """
        if not self.notebook.is_file():
            raise LabError(
                f"chapter {self.name} has not been executed; "
                f"run `llmlab book execute {self.name}` first."
            )
        return self.notebook


@dataclass(frozen=True)
class Edition:
    """Which state of the book is shown; `commit` ends in "+" where files differ from it."""

    version: str
    commit: str


@dataclass(frozen=True)
class Contents:
    """Title, authors and chapters of the book.

    Attributes:
        options: defaults for code cells (`echo`, `code-fold`), as Quarto understands them.
    """

    title: str
    subtitle: str
    author: str
    description: str
    chapters: tuple[Chapter, ...]
    options: Mapping[str, Any]

    @property
    def pdf(self) -> str:
        """File name of the PDF, formed from the title as Quarto forms it."""
        return self.title.replace(" ", "-") + ".pdf"


def read_contents(project: Project) -> Contents:
    """The contents of the project's book.

    Raises:
        LabError: `_quarto.yml` is missing or malformed, lists a chapter that has no source or
            lists it twice, or leaves a source out.
    """
    config = _read_config(project.root / CONFIG)
    book = config.get("book")
    if not isinstance(book, dict) or not book.get("title") or not book.get("author"):
        raise LabError(f"{CONFIG} has no book with a title and an author; add both under `book:`.")
    chapters = tuple(
        _chapter(project, entry, part, appendix)
        for entries, appendix in ((book.get("chapters"), False), (book.get("appendices"), True))
        for entry, part in _flatten(entries or [], "Appendices" if appendix else "")
    )
    _check_complete(project, chapters)
    return Contents(
        title=book["title"],
        subtitle=book.get("subtitle", ""),
        author=book["author"],
        description=book.get("description", ""),
        chapters=chapters,
        options={
            **config.get("execute", {}),
            "code-fold": _html_options(config).get("code-fold", False),
        },
    )


def chapter_of(project: Project, name: str) -> Chapter:
    """The chapter called `name`: "concepts/lora", or the path of its script.

    Raises:
        LabError: there is no such chapter; names the nearest.
    """
    chapters = {chapter.name: chapter for chapter in read_contents(project).chapters}
    wanted = name.removeprefix("chapters/").removesuffix(".py").removesuffix(".ipynb")
    if wanted not in chapters:
        near = get_close_matches(wanted, chapters, n=1)
        hint = f"did you mean {near[0]}?" if near else f"the chapters stand in {CONFIG}."
        raise LabError(f"there is no chapter {wanted}; {hint}")
    return chapters[wanted]


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LabError(f"{path.name} is missing; it lists the chapters of the book.") from None
    except yaml.YAMLError as error:
        raise LabError(f"{path.name} is not valid YAML: {error}".replace("\n", " ")) from None
    if not isinstance(config, dict):
        raise LabError(f"{path.name} is empty; it lists the chapters of the book.")
    return config


def _html_options(config: Mapping[str, Any]) -> Mapping[str, Any]:
    formats = config.get("format")
    html = formats.get("html") if isinstance(formats, dict) else None
    return html if isinstance(html, dict) else {}


def _flatten(entries: list[Any], part: str) -> Iterator[tuple[str, str]]:
    """Each chapter with the title of its part."""
    for entry in entries:
        if isinstance(entry, dict) and "part" in entry:
            yield from _flatten(entry.get("chapters") or [], entry["part"])
        elif isinstance(entry, str):
            yield entry, part
        else:
            raise LabError(
                f"{CONFIG} lists the chapter {entry!r}; write a path such as concepts/lora.ipynb, "
                "or `part:` with `chapters:`."
            )


def _chapter(project: Project, entry: str, part: str, appendix: bool) -> Chapter:
    name = entry.removesuffix(".ipynb")
    return Chapter(
        name=name,
        part=part,
        appendix=appendix,
        source=project.chapters / f"{name}.py",
        notebook=project.build / "chapters" / f"{name}.ipynb",
    )


def _check_complete(project: Project, chapters: tuple[Chapter, ...]) -> None:
    """Every chapter listed has a source, and every source is listed, once."""
    sources = {
        path.relative_to(project.chapters).with_suffix("").as_posix()
        for path in project.chapters.rglob("*.py")
    }
    names = [chapter.name for chapter in chapters]
    if FRONT_PAGE not in names:
        raise LabError(f"{CONFIG} lists no index.ipynb; a book needs this front page.")
    for name in names:
        if name not in sources:
            near = get_close_matches(name, sources, n=1)
            hint = f"did you mean {near[0]}.ipynb?" if near else "write it, or drop the entry."
            raise LabError(
                f"{CONFIG} lists {name}.ipynb, but chapters/{name}.py is missing; {hint}"
            )
        if names.count(name) > 1:
            raise LabError(f"{CONFIG} lists {name}.ipynb twice; drop one entry.")
    for name in sorted(sources - set(names)):
        raise LabError(
            f"chapters/{name}.py stands in no part of {CONFIG}; list it as {name}.ipynb."
        )
