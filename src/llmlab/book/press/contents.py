"""The chapters of the book and their order, read from `_quarto.yml` for both renderers."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from llmlab.book.press.border import parse_yaml, validated
from llmlab.method.documents import in_one_line
from llmlab.method.errors import LabError
from llmlab.method.files import read_text
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
        part: title of its part; "" before the first part.
        source: the percent script.
        notebook: path of its executed notebook.
        mark: note below its title, in Markdown, that its evidence has changed.
    """

    name: str
    part: str
    appendix: bool
    source: Path
    notebook: Path
    mark: str = ""

    @property
    def page(self) -> str:
        """Path of its page relative to the site's folder."""
        return f"{self.name}.html"

    def executed(self) -> Path:
        """The path of its executed notebook.

        Raises:
            LabError: the chapter has not been executed.
        """
        if not self.notebook.is_file():
            raise LabError(
                f"chapter {self.name} has not been executed; run `llmlab book execute {self.name}`,"
                " or `make` to execute and render all chapters."
            )
        return self.notebook


@dataclass(frozen=True)
class Edition:
    """The version of the book shown; `commit` ends in "+" if files differ from it."""

    version: str
    commit: str


class CellOptions(BaseModel):
    """The options of a code cell; a book or a chapter may set them for all its cells."""

    model_config = ConfigDict(
        frozen=True, alias_generator=lambda name: name.replace("_", "-"), coerce_numbers_to_str=True
    )
    label: str = ""
    fig_cap: str = ""
    fig_alt: str = ""
    tbl_cap: str | None = None
    echo: bool = True
    include: bool = True
    output: bool | Literal["asis"] = True
    code_fold: bool | Literal["show"] = False
    code_summary: str = "Code"


class _Book(BaseModel):
    """The part of `book:` that the preview renderer reads."""

    model_config = ConfigDict(coerce_numbers_to_str=True)
    # the title names the PDF
    title: Annotated[str, Field(max_length=200, pattern=r"^[^/\\\x00-\x1f\x7f]+$")]
    author: str
    subtitle: str | None = None
    description: str | None = None
    chapters: list[Any] | None = None
    appendices: list[Any] | None = None


@dataclass(frozen=True)
class Contents:
    """Title, author and chapters of the book.

    Attributes:
        options: defaults for code cells.
    """

    title: str
    subtitle: str
    author: str
    description: str
    chapters: tuple[Chapter, ...]
    options: CellOptions

    @property
    def pdf(self) -> str:
        """File name of the PDF, derived from the title as Quarto does."""
        return self.title.replace(" ", "-") + ".pdf"


def read_contents(project: Project) -> Contents:
    """Read the contents of the project's book.

    Raises:
        LabError: `_quarto.yml` is missing or malformed, lists a chapter twice or one without a
            source, or leaves a source out.
    """
    config = read_config(project)
    book = config["book"]
    if not isinstance(book, dict) or not book.get("title") or not book.get("author"):
        raise LabError(f"{CONFIG} lacks the book's title or author; add both under `book:`.")
    facts = validated(_Book, book, f"`book:` in {CONFIG}")
    chapters = tuple(
        _chapter(project, entry, part, appendix)
        for entries, appendix in ((facts.chapters, False), (facts.appendices, True))
        for entry, part in _flatten(entries or [], "Appendices" if appendix else "")
    )
    _check_complete(project, chapters)
    return Contents(
        title=facts.title,
        subtitle=facts.subtitle or "",
        author=facts.author,
        description=facts.description or "",
        chapters=chapters,
        options=validated(CellOptions, _cell_options(config), f"`execute:` in {CONFIG}"),
    )


def chapter_of(project: Project, name: str) -> Chapter:
    """Find a chapter by its name, such as "concepts/lora", or by the path of its script.

    Raises:
        LabError: there is no such chapter; suggests the nearest.
    """
    chapters = {chapter.name: chapter for chapter in read_contents(project).chapters}
    wanted = name.removeprefix("chapters/").removesuffix(".py").removesuffix(".ipynb")
    if wanted not in chapters:
        near = _nearest(wanted, chapters)
        hint = f"did you mean {near}?" if near else f"{CONFIG} lists all chapters."
        raise LabError(f"there is no chapter '{wanted}'; {hint}")
    return chapters[wanted]


def _nearest(wanted: str, chapters: Iterable[str]) -> str | None:
    """The chapter whose name without its folder is nearest, in the nearest folder."""
    by_stem: dict[str, list[str]] = {}
    for chapter in chapters:
        by_stem.setdefault(chapter.rpartition("/")[2], []).append(chapter)
    stems = get_close_matches(wanted.rpartition("/")[2], by_stem, n=1)
    alike = by_stem[stems[0]] if stems else []
    return next(iter(get_close_matches(wanted, alike, n=1, cutoff=0)), None)


def read_config(project: Project) -> dict[str, Any]:
    """Read `_quarto.yml` as Quarto does; the result always has the keys "project" and "book".

    Raises:
        LabError: the file is missing, or is not a YAML mapping.
    """
    path = project.root / CONFIG
    if not path.is_file():
        raise LabError(f"{CONFIG}, which lists the chapters of the book, is missing; restore it.")
    config = {"project": {}, "book": {}, **parse_yaml(read_text(path, CONFIG), CONFIG)}
    if not isinstance(config["project"], dict):
        raise LabError(f"{CONFIG} has no keys below `project:`; write `type: book` there.")
    return config


def _cell_options(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Defaults for code cells, from the two places where Quarto looks for them."""
    formats = config.get("format")
    html = formats.get("html") if isinstance(formats, dict) else None
    fold = html.get("code-fold") if isinstance(html, dict) else None
    execute = config.get("execute")
    chosen = execute if isinstance(execute, dict) else {}
    return chosen if fold is None else {**chosen, "code-fold": fold}


def _flatten(entries: list[Any], part: str) -> Iterator[tuple[str, str]]:
    """Each chapter with the title of its part."""
    for entry in entries:
        match entry:
            case {"part": str(title), "chapters": list(below)}:
                yield from _flatten(below, title)
            case {"part": str(), "chapters": None}:
                continue
            case str():
                yield entry, part
            case _:
                raise LabError(
                    f"{CONFIG} lists the invalid chapter {in_one_line(repr(entry))}; write a path "
                    "such as concepts/lora.ipynb, or `part:` with `chapters:`."
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
    """Check that every listed chapter has a source, and that every source is listed once."""
    sources = {
        path.relative_to(project.chapters).with_suffix("").as_posix()
        for path in project.chapters.rglob("*.py")
    }
    names = [chapter.name for chapter in chapters]
    if FRONT_PAGE not in names:
        raise LabError(f"{CONFIG} does not list index.ipynb, the front page; add it.")
    for name in names:
        if name not in sources:
            near = get_close_matches(name, sources, n=1)
            hint = f"did you mean {near[0]}.ipynb?" if near else "write it, or drop the entry."
            listed = in_one_line(name)
            raise LabError(
                f"{CONFIG} lists {listed}.ipynb, but chapters/{listed}.py is missing; {hint}"
            )
        if names.count(name) > 1:
            raise LabError(f"{CONFIG} lists {name}.ipynb twice; drop one entry.")
    for name in sorted(sources - set(names)):
        raise LabError(f"chapters/{name}.py is not listed in {CONFIG}; add it as {name}.ipynb.")
