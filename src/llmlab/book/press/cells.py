"""An executed notebook, taken apart: its Markdown, and its code cells with what they show."""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import nbformat
import yaml
from nbformat import NotebookNode

from llmlab.book.press.contents import Chapter
from llmlab.method.errors import LabError

OPTIONS = {
    "label", "fig-cap", "fig-alt", "tbl-cap", "echo", "include", "output", "code-fold",
    "code-summary",
}  # fmt: skip
IMAGES = {"image/png": "png", "image/svg+xml": "svg"}
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
    """A code cell as the page shows it."""

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
        markdown: its text; the n-th code cell stands in it as a raw block of format "cell".
        images: content of each image file, by its path below the site.
    """

    markdown: str
    cells: tuple[Cell, ...]
    images: Mapping[str, bytes]

    @property
    def sizes(self) -> dict[str, tuple[int, int]]:
        """Width and height in pixels of the vector images, so that nothing jumps on loading."""
        found = {src: _SVG_SIZE.search(content) for src, content in self.images.items()}
        return {
            src: (round(float(size["width"]) * 4 / 3), round(float(size["height"]) * 4 / 3))
            for src, size in found.items()
            if size
        }


def read_sheet(chapter: Chapter, defaults: Mapping[str, Any]) -> Sheet:
    """Takes the executed notebook of a chapter apart.

    Args:
        defaults: `echo` and `code-fold` of the whole book.

    Raises:
        LabError: the chapter is not executed, or uses what the preview cannot show.
    """
    stored = nbformat.read(chapter.executed(), as_version=4)
    texts: list[str] = []
    cells: list[Cell] = []
    images: dict[str, bytes] = {}
    for number, node in enumerate(stored.cells, 1):
        where = f"chapters/{chapter.name}.py, cell {number}"
        if node.cell_type == "markdown":
            _check_markdown(node.source, where)
            texts.append(node.source)
        elif node.cell_type == "raw":
            defaults = {**defaults, **_front_matter(node.source, where)}
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
                f"{where} uses {name}, which not every renderer shows; write it otherwise."
            )


def _front_matter(text: str, where: str) -> dict[str, Any]:
    """Options of one chapter from the YAML at its top."""
    stripped = text.strip().removeprefix("---").removesuffix("---")
    matter = _yaml(stripped, where)
    return {**matter, **matter.get("execute", {})}


def _code_cell(
    node: NotebookNode, where: str, defaults: Mapping[str, Any], images: dict[str, bytes]
) -> Cell | None:
    """The cell as it is shown, or None for one that shows nothing."""
    options, code = _split_options(node.source, where)
    chosen = {**defaults, **options}
    if not chosen.get("include", True):
        return None
    shown = chosen.get("output", True) is not False
    echo = bool(chosen.get("echo", True)) and bool(code.strip())
    outputs = tuple(_output(output, images) for output in node.outputs) if shown else ()
    if not echo and not outputs:
        return None
    return Cell(
        code=code.strip("\n"),
        echo=echo,
        fold=str(chosen.get("code-fold", False)).lower(),
        summary=chosen.get("code-summary", "Code"),
        label=options.get("label", ""),
        caption=options.get("fig-cap") or options.get("tbl-cap") or "",
        caption_kind="tbl" if "tbl-cap" in options else "fig",
        alt=options.get("fig-alt") or options.get("fig-cap") or "",
        outputs=outputs,
    )


def _split_options(source: str, where: str) -> tuple[dict[str, Any], str]:
    lines = source.splitlines()
    count = next((n for n, line in enumerate(lines) if not line.startswith("#|")), len(lines))
    options = _yaml("\n".join(_OPTION.sub("", line, count=1) for line in lines[:count]), where)
    unknown = sorted(set(options) - OPTIONS)
    if unknown:
        raise LabError(
            f"{where} has the option {unknown[0]}; known are {', '.join(sorted(OPTIONS))}."
        )
    return options, "\n".join(lines[count:])


def _yaml(text: str, where: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise LabError(
            f"{where} has options that are not YAML: {error}".replace("\n", " ")
        ) from None
    if not isinstance(found, dict):
        raise LabError(f"{where} has options without names; write `#| name: value`.")
    return found


def _output(output: NotebookNode, images: dict[str, bytes]) -> Output:
    if output.output_type == "stream":
        return Output("text", text=output.text.rstrip("\n"))
    data = output.get("data", {})
    if "text/markdown" in data:
        return Output("markdown", text=without_data_uris(data["text/markdown"], images))
    for kind, suffix in IMAGES.items():
        if kind in data:
            content = data[kind]
            return _image(
                base64.b64decode(content) if suffix == "png" else content.encode(),
                suffix,
                output.get("metadata", {}).get(kind, {}),
                images,
            )
    return Output("text", text=data.get("text/plain", ""))


def without_data_uris(text: str, images: dict[str, bytes], top: str = "/") -> str:
    """`text` with its written-out images as files, which are added to `images` by their paths.

    Args:
        top: the way from the page to the top of the site, or what stands for it.
    """

    def stored(uri: re.Match[str]) -> str:
        kind, content = uri.groups()
        return top + _store(base64.b64decode(content), IMAGES[kind], images)

    return _DATA_URI.sub(stored, text)


def _store(content: bytes, suffix: str, images: dict[str, bytes]) -> str:
    """Keeps an image under a name that its content decides."""
    src = f"figures/{hashlib.sha256(content).hexdigest()[:16]}.{suffix}"
    images[src] = content
    return src


def _image(
    content: bytes, suffix: str, size: Mapping[str, int], images: dict[str, bytes]
) -> Output:
    src = _store(content, suffix, images)
    return Output("image", src=src, width=size.get("width"), height=size.get("height"))
