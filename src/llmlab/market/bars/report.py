"""Output of `llmlab market data`."""

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.table import Table

from llmlab.market.bars.manifest import Manifest
from llmlab.market.bars.sources import SOURCES
from llmlab.method.plain import plain_console


def sources() -> list[dict[str, str]]:
    """The sources; the version of one that is not installed is empty."""
    return [
        {
            "source": source.name,
            "version": source.version,
            "licence": source.licence,
            "content": source.description,
        }
        for source in SOURCES.values()
    ]


def print_sources() -> None:
    """Print the sources, and which of them are installed."""
    table = Table("source", "version", "licence", "content", box=box.SIMPLE)
    for source in sources():
        table.add_row(*(source | {"version": source["version"] or "not installed"}).values())
    plain_console().print(table)


def print_manifests(manifests: Sequence[Manifest], folder: Path) -> None:
    """Print one row per asset, and the folder of the manifests."""
    table = Table("asset", "rows", "first", "last", "gaps", "zero volume", "notes", box=box.SIMPLE)
    for found in manifests:
        without = found.missing_volume == found.rows
        volume = "closes only" if without else str(found.zero_volume)
        cells = (str(found.rows), found.first, found.last, str(len(found.gaps)), volume)
        table.add_row(found.name, *cells, "; ".join(found.notes))
    console = plain_console()
    console.print(table)
    console.print(f"Manifests with checksums are in {folder}.")
