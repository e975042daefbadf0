"""The preview renderer: HTML and PDF from pandoc and typst, for machines without Quarto.

The Lua script `assets/pandoc/book.lua` does what needs the whole book: numbering, cross-references,
citations. It runs once per output format, in parallel. This module turns its results into pages and
a PDF.
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

from llmlab.book.press.cells import Sheet, read_sheet
from llmlab.book.press.contents import ASSETS, FRONT_PAGE, Chapter, Contents, Edition
from llmlab.book.press.pdf import pack
from llmlab.book.press.site_assets import write_site_assets
from llmlab.method.documents import in_one_line
from llmlab.method.errors import LabError

BIBLIOGRAPHY = "references.bib"
PANDOC = Path(pypandoc.__file__).parent / "files" / "pandoc"
"""The pinned pandoc, not another version that may be on the machine."""

Form = Literal["html", "typst"]

MORE_ROOM = ("+RTS", "-A64m", "-RTS")
"""Give pandoc a 64 MiB allocation area: garbage collection took a sixth of its time."""


def render_preview(contents: Contents, chapters: Path, edition: Edition, out: Path) -> None:
    """Render the executed chapters into the empty folder `out`.

    Args:
        chapters: folder with the bibliography and the images in the text.

    Raises:
        LabError: a chapter is not executed, a reference or citation is unresolved, or the PDF
            cannot be made.
    """
    sheets = [read_sheet(ch, contents.options) for ch in contents.chapters]
    jobs = [_job(ch, sheet) for ch, sheet in zip(contents.chapters, sheets, strict=True)]
    convert = partial(_convert, jobs, chapters / BIBLIOGRAPHY)

    def set_pdf() -> None:
        typeset = convert("typst")
        _write_images(sheets, typeset["images"], chapters, out)
        _write_pdf(contents, edition, typeset["written"], out)

    with ThreadPoolExecutor() as pool:  # make the PDF on another core while this one writes pages
        pdf = pool.submit(set_pdf)
        pages = convert("html")["written"]
        _write_pages(contents, edition, pages, out)
        _write_search(pages, contents.chapters, out)
        write_site_assets(out / "assets")
        pdf.result()


def _convert(jobs: list[dict[str, Any]], bibliography: Path, form: Form) -> dict[str, Any]:
    """Run `book.lua` on the whole book for one output format, and return its answer.

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
        # ignore the user's settings for pandoc and Lua
        neutral = {"HOME": folder, "XDG_DATA_HOME": folder, "LC_ALL": "C.UTF-8"}
        pandoc = subprocess.run(command, capture_output=True, env=neutral)
    if pandoc.returncode != 0:
        said = in_one_line(pandoc.stderr.decode(errors="replace"))
        raise LabError(f"pandoc could not convert the chapters: {said}; correct them.")
    answer = json.loads(pandoc.stdout)
    if answer["problems"]:
        raise LabError("; ".join(answer["problems"]))
    return answer


def _job(chapter: Chapter, sheet: Sheet) -> dict[str, Any]:
    """A chapter as input for `book.lua`, which caches the parsed text beside the notebook."""
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
    """The version of what reads a chapter: pandoc and its scripts, for the cache."""
    scripts = sorted((ASSETS / "pandoc").iterdir())
    return [PANDOC.stat().st_mtime_ns, *(script.read_text(encoding="utf-8") for script in scripts)]


def _offset(chapter: Chapter) -> str:
    """The relative path from a page to the top folder of the site."""
    return "../" * chapter.name.count("/")


def _write_images(sheets: Iterable[Sheet], shown: Iterable[str], chapters: Path, out: Path) -> None:
    """Write images: those of cells from memory, those of the text from the chapters' folder."""
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
            f"a chapter shows {name}, which does not exist; put it into chapters/."
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
    """Write the index as a script, because a page opened from a file may not fetch JSON."""
    index = [
        {"url": chapter.page, "page": page["title_text"], **section}
        for page, chapter in zip(pages, chapters, strict=True)
        for section in page["search"]
    ]
    text = json.dumps(index, ensure_ascii=False, separators=(",", ":"))
    (out / "search-index.js").write_text(f"window.bookIndex = {text};\n", encoding="utf-8")


def _write_pdf(contents: Contents, edition: Edition, body: str, out: Path) -> None:
    """Compile the PDF in `out`, next to the images."""
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
        # a fixed timestamp, so that the same book gives the same bytes
        typst.compile(
            str(source),
            output=str(out / contents.pdf),
            root=str(out),
            font_paths=[ASSETS / "print-fonts"],
            ignore_system_fonts=True,
            timestamp=0,
        )
    except typst.TypstError as error:
        raise LabError(
            f"typst could not make the PDF: {error.diagnostic}; correct the chapter."
        ) from None
    source.unlink()
    pack(out / contents.pdf)


def _cover(facts: Mapping[str, str]) -> str:
    """The call that sets up the whole document; JSON strings are also typst strings."""
    arguments = ", ".join(
        f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in facts.items()
    )
    return f"#show: book.with({arguments})"
