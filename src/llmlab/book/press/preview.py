"""The preview renderer: HTML pages and a PDF by pandoc and typst, where Quarto is not installed.

The Lua script `assets/pandoc/book.lua` does what needs the whole book: numbers, cross-references,
citations. It runs once for each form, side by side. Here its results are put into pages and a PDF.
"""

import hashlib
import json
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import cache, partial
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import pypandoc
import typst
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from llmlab.book.press.border import in_one_line
from llmlab.book.press.cells import Sheet, read_sheet
from llmlab.book.press.contents import ASSETS, FRONT_PAGE, Chapter, Contents, Edition
from llmlab.book.press.pdf import pack
from llmlab.book.press.site_assets import write_site_assets
from llmlab.method.errors import LabError

BIBLIOGRAPHY = "references.bib"
PANDOC = Path(pypandoc.__file__).parent / "files" / "pandoc"
"""The pandoc that the lock pins, not a newer one that the machine may have."""

Form = Literal["html", "typst"]

MORE_ROOM = ("+RTS", "-A64m", "-RTS")
"""64 MiB for pandoc to fill before it collects garbage, which took a sixth of its time."""


def render_preview(contents: Contents, chapters: Path, edition: Edition, out: Path) -> None:
    """Renders the executed chapters into the empty folder `out`.

    Args:
        chapters: folder with the bibliography and the images that the text shows.

    Raises:
        LabError: a chapter is not executed, a reference or citation leads nowhere, or the PDF
            cannot be made.
    """
    sheets = [read_sheet(ch, contents.options) for ch in contents.chapters]
    jobs = [_job(ch, sheet) for ch, sheet in zip(contents.chapters, sheets, strict=True)]
    convert = partial(_convert, jobs, chapters / BIBLIOGRAPHY)

    def set_pdf() -> None:
        typeset = convert("typst")
        _write_images(sheets, typeset["images"], chapters, out)
        _write_pdf(contents, edition, typeset["written"], out)

    with ThreadPoolExecutor() as pool:  # on another core, while this one writes the pages
        pdf = pool.submit(set_pdf)
        pages = convert("html")["written"]
        _write_pages(contents, edition, pages, out)
        _write_search(pages, contents.chapters, out)
        write_site_assets(out / "assets")
        pdf.result()


def _convert(jobs: list[dict[str, Any]], bibliography: Path, form: Form) -> dict[str, Any]:
    """The answer of `book.lua` for the whole book in one form.

    Raises:
        LabError: a chapter has mistakes, or pandoc fails.
    """
    job = {
        "form": form,
        "bibliography": str(bibliography) if bibliography.is_file() else None,
        "chapters": [{**job, "aside": f"{job['kept']}.{form}"} for job in jobs],
    }
    with tempfile.TemporaryDirectory() as folder:
        asked = Path(folder, "job.json")
        asked.write_text(json.dumps(job), encoding="utf-8")
        command = [str(PANDOC), *MORE_ROOM, "lua", str(ASSETS / "pandoc" / "book.lua"), str(asked)]
        # what the user has set up for pandoc and Lua is for other documents
        neutral = {"HOME": folder, "XDG_DATA_HOME": folder, "LC_ALL": "C.UTF-8"}
        pandoc = subprocess.run(command, capture_output=True, env=neutral)
    if pandoc.returncode != 0:
        said = in_one_line(pandoc.stderr.decode(errors="replace"))
        raise LabError(f"pandoc could not convert the chapters: {said}")
    answer = json.loads(pandoc.stdout)
    if answer["problems"]:
        raise LabError("; ".join(answer["problems"]))
    return answer


def _job(chapter: Chapter, sheet: Sheet) -> dict[str, Any]:
    """A chapter for `book.lua`, which keeps what it has read beside the notebook."""
    job = {
        "name": chapter.name,
        "page": chapter.page,
        "part": chapter.part,
        "appendix": chapter.appendix,
        "offset": _offset(chapter),
        "markdown": sheet.markdown,
        "cells": [asdict(cell) for cell in sheet.cells],
        "sizes": sheet.sizes,
    }
    digest = hashlib.sha256(json.dumps([_reader(), job]).encode()).hexdigest()
    return {**job, "digest": digest, "kept": str(chapter.notebook.with_suffix(".blocks"))}


@cache
def _reader() -> list[object]:
    """Changes with what reads a chapter: pandoc, and the scripts that guide it."""
    scripts = sorted((ASSETS / "pandoc").iterdir())
    return [PANDOC.stat().st_mtime_ns, *(script.read_text(encoding="utf-8") for script in scripts)]


def _offset(chapter: Chapter) -> str:
    """The way from a page to the top folder of the site."""
    return "../" * chapter.name.count("/")


def _write_images(sheets: Iterable[Sheet], shown: Iterable[str], chapters: Path, out: Path) -> None:
    """Images made by cells from memory, those shown by text from the chapters' folder."""
    made = {src: content for sheet in sheets for src, content in sheet.images.items()}
    for src in shown:
        content = made.get(src) or _read_image(chapters / src, src)
        target = out / src
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _read_image(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise LabError(
            f"a chapter shows {name}, which is not there; put it into chapters/."
        ) from None


def _write_pages(
    contents: Contents, edition: Edition, pages: list[dict[str, Any]], out: Path
) -> None:
    template = Environment(
        loader=FileSystemLoader(ASSETS),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template("page.html")
    full = [
        {**page, "page": chapter.page, "part": chapter.part, "appendix": chapter.appendix}
        for page, chapter in zip(pages, contents.chapters, strict=True)
    ]
    groups = [
        {"part": part, "pages": list(members)}
        for part, members in groupby(full, lambda p: p["part"])
    ]
    for n, (page, chapter) in enumerate(zip(full, contents.chapters, strict=True)):
        html = template.render(
            book=contents,
            edition=edition,
            page=page,
            groups=groups,
            offset=_offset(chapter),
            front=chapter.name == FRONT_PAGE,
            previous=full[n - 1] if n > 0 else None,
            next=full[n + 1] if n + 1 < len(full) else None,
        )
        target = out / chapter.page
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(html, encoding="utf-8")


def _write_search(
    pages: Iterable[Mapping[str, Any]], chapters: Iterable[Chapter], out: Path
) -> None:
    """The index as a script, because a page opened from a file may not fetch JSON."""
    index = [
        {"url": chapter.page, "page": page["title_text"], **section}
        for page, chapter in zip(pages, chapters, strict=True)
        for section in page["search"]
    ]
    text = json.dumps(index, ensure_ascii=False, separators=(",", ":"))
    (out / "search-index.js").write_text(f"window.bookIndex = {text};\n", encoding="utf-8")


def _write_pdf(contents: Contents, edition: Edition, body: str, out: Path) -> None:
    """Compiled in `out`, where the images are."""
    facts = {
        "title": contents.title,
        "subtitle": contents.subtitle,
        "author": contents.author,
        "description": contents.description,
        "version": edition.version,
        "commit": edition.commit,
    }
    source = out / "book.typ"
    template = (ASSETS / "book.typ").read_text(encoding="utf-8")
    source.write_text(f"{template}\n{_cover(facts)}\n{body}", encoding="utf-8")
    try:
        # a fixed time, so that the same book gives the same bytes
        typst.compile(
            str(source),
            output=str(out / contents.pdf),
            root=str(out),
            font_paths=[ASSETS / "print-fonts"],
            ignore_system_fonts=True,
            timestamp=0,
        )
    except typst.TypstError as error:
        raise LabError(f"typst could not make the PDF: {error.diagnostic}") from None
    source.unlink()
    pack(out / contents.pdf)


def _cover(facts: Mapping[str, str]) -> str:
    """The call that sets up the whole document; JSON strings are strings of typst too."""
    arguments = ", ".join(
        f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in facts.items()
    )
    return f"#show: book.with({arguments})"
