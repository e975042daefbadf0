"""Split an executed notebook into its Markdown and its code cells with their outputs."""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nbformat import NotebookNode

from llmlab.book.press.border import parse_yaml, validated
from llmlab.book.press.contents import CellOptions, Chapter
from llmlab.book.press.notebooks import read_notebook
from llmlab.method.errors import LabError

OPTIONS = {name.replace("_", "-") for name in CellOptions.model_fields}
IMAGES = {"image/png": "png", "image/svg+xml": "svg"}
PIXELS_PER_POINT = 100 / 72
"""Scale of a figure on screen; drawings inside text use 96 pixels per inch, like browsers."""
MOST_PIXELS = 100_000
"""Largest plausible side of an image, in pixels."""

_DATA_URI = re.compile(r"data:(image/(?:png|svg\+xml));base64,([A-Za-z0-9+/=]+)")
_OPTION = re.compile(r"#\| ?")
_SVG_SIZE = re.compile(rb'<svg[^>]* width="(?P<width>[\d.]+)pt" height="(?P<height>[\d.]+)pt"')
_UNSUPPORTED = {
    r"\{\{<": "shortcodes such as {{< include >}}",
    r"`\{python\}": "inline `{python}` expressions",
    r"^::: *\{\.panel-tabset": "tabsets",
}


@dataclass(frozen=True)
class Output:
    """One output of a cell: Markdown or plain text, or the path of an image below the site."""

    kind: Literal["markdown", "text", "image"]
    text: str = ""
    src: str = ""
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True)
class Cell:
    """A code cell as shown on the page."""

    code: str
    echo: bool
    fold: Literal["true", "false", "show"]
    summary: str
    label: str
    caption: str
    caption_kind: Literal["fig", "tbl"]
    alt: str
    outputs: tuple[Output, ...]


@dataclass(frozen=True)
class Sheet:
    """A chapter ready for pandoc.

    Attributes:
        markdown: its text, with the n-th code cell as a raw block of format "cell".
        images: content of each image file, by its path below the site.
    """

    markdown: str
    cells: tuple[Cell, ...]
    images: Mapping[str, bytes]

    @property
    def sizes(self) -> dict[str, tuple[int, int]]:
        """Width and height of vector images in pixels, so that the layout is stable on loading."""
        found = {src: _svg_size(content, 96 / 72) for src, content in self.images.items()}
        return {src: size for src, size in found.items() if size}


def read_sheet(chapter: Chapter, defaults: CellOptions) -> Sheet:
    """Split the executed notebook of a chapter.

    Args:
        defaults: the book's options for code cells.

    Raises:
        LabError: the chapter is not executed, its notebook is damaged, or it uses a feature that
            the preview does not support.
    """
    stored = read_notebook(chapter)
    texts: list[str] = []
    cells: list[Cell] = []
    images: dict[str, bytes] = {}
    for number, node in enumerate(stored.cells, 1):
        where = f"chapters/{chapter.name}.py, cell {number}"
        if node.cell_type == "markdown":
            _check_markdown(node.source, where)
            texts.append(node.source)
        elif node.cell_type == "raw":
            defaults = _front_matter(node.source, defaults, where)
        else:
            cell = _code_cell(node, where, defaults, images)
            if cell is not None:
                texts.append(f"```{{=cell}}\n{len(cells)}\n```")
                cells.append(cell)
    return Sheet("\n\n".join(texts) + "\n", tuple(cells), images)


def _check_markdown(text: str, where: str) -> None:
    for pattern, name in _UNSUPPORTED.items():
        if re.search(pattern, text, re.MULTILINE):
            raise LabError(
                f"{where} uses {name}, which not every renderer supports; write it another way."
            )


def _front_matter(text: str, defaults: CellOptions, where: str) -> CellOptions:
    """Options of one chapter from the YAML at its top."""
    matter = parse_yaml(text.strip().removeprefix("---").removesuffix("---"), where)
    below = matter.get("execute")
    return _with(defaults, {**matter, **(below if isinstance(below, dict) else {})}, where)


def _with(defaults: CellOptions, options: Mapping[str, Any], where: str) -> CellOptions:
    """The options, completed with the defaults."""
    given = defaults.model_dump(by_alias=True, exclude_unset=True)
    return validated(CellOptions, {**given, **options}, f"an option of {where}")


def _code_cell(
    node: NotebookNode, where: str, defaults: CellOptions, images: dict[str, bytes]
) -> Cell | None:
    """The cell as shown, or None if it shows nothing."""
    options, code = _split_options(node.source, where)
    chosen = _with(defaults, options, where)
    if not chosen.include:
        return None
    echo = chosen.echo and bool(code.strip())
    shown = node.outputs if chosen.output else ()
    outputs = tuple(_output(output, images, where) for output in shown)
    if not echo and not outputs:
        return None
    return Cell(
        code=code.strip("\n"),
        echo=echo,
        fold=str(chosen.code_fold).lower(),
        summary=chosen.code_summary,
        label=chosen.label,
        caption=chosen.fig_cap or chosen.tbl_cap or "",
        caption_kind="fig" if chosen.tbl_cap is None else "tbl",
        alt=chosen.fig_alt or chosen.fig_cap,
        outputs=outputs,
    )


def _split_options(source: str, where: str) -> tuple[dict[str, Any], str]:
    """The options at the top of a cell, and its code."""
    lines = source.splitlines()
    count = next((n for n, line in enumerate(lines) if not line.startswith("#|")), len(lines))
    written = "\n".join(_OPTION.sub("", line, count=1) for line in lines[:count])
    options = parse_yaml(written, f"the `#|` part of {where}")
    unknown = sorted(set(options) - OPTIONS)
    if unknown:
        raise LabError(
            f"{where} has the unknown option {unknown[0]}; use {', '.join(sorted(OPTIONS))}."
        )
    return options, "\n".join(lines[count:])


def _output(output: NotebookNode, images: dict[str, bytes], where: str) -> Output:
    """Convert an output to the richest form that a page can show.

    Raises:
        LabError: the output has an image that is not valid base64.
    """
    if output.output_type == "stream":
        return Output("text", text=output.text.rstrip("\n"))
    data = output.get("data", {})
    if "text/markdown" in data:
        return Output(
            "markdown", text=without_data_uris(data["text/markdown"], images, where=where)
        )
    for kind, suffix in IMAGES.items():
        if kind in data:
            written = data[kind]
            content = decoded(written, where) if suffix == "png" else written.encode()
            return _image(content, suffix, output.get("metadata", {}).get(kind), images)
    return Output("text", text=data.get("text/plain", ""))


def decoded(written: str, where: str) -> bytes:
    """Decode a base64 image; LabError if it is damaged."""
    try:
        return base64.b64decode(written)
    except ValueError:
        raise LabError(
            f"{where} shows an image that is damaged; execute its chapter again."
        ) from None


def without_data_uris(text: str, images: dict[str, bytes], top: str = "/", where: str = "") -> str:
    """Replace the data URIs in `text` by file paths, and add the images to `images` by path.

    Args:
        top: the relative path from the page to the top of the site, or a placeholder for it.
        where: the place of the text in error messages.

    Raises:
        LabError: an image is not valid base64.
    """

    def stored(uri: re.Match[str]) -> str:
        kind, content = uri.groups()
        return top + _store(decoded(content, where), IMAGES[kind], images)

    return _DATA_URI.sub(stored, text)


def _store(content: bytes, suffix: str, images: dict[str, bytes]) -> str:
    """Store an image under a name derived from its content."""
    src = f"figures/{hashlib.sha256(content).hexdigest()[:16]}.{suffix}"
    images[src] = content
    return src


def _image(content: bytes, suffix: str, size: object, images: dict[str, bytes]) -> Output:
    src = _store(content, suffix, images)
    if drawn := _svg_size(content, PIXELS_PER_POINT):
        return Output("image", "", src, *drawn)
    match size:
        case {"width": int(width), "height": int(height)} if _are_pixels(width, height):
            return Output("image", src=src, width=width, height=height)
        case _:
            return Output("image", src=src)


def _svg_size(content: bytes, pixels: float) -> tuple[int, int] | None:
    """Width and height of a vector image, at `pixels` per point; None for other images."""
    size = _SVG_SIZE.search(content)
    return size and (round(float(size["width"]) * pixels), round(float(size["height"]) * pixels))


def _are_pixels(*sides: int) -> bool:
    return all(0 < side <= MOST_PIXELS for side in sides)
