"""Write manifests of bars from packages, files and addresses."""

import sys
from pathlib import Path

from llmlab.market.bars.csv_file import read_csv
from llmlab.market.bars.download import fetch_all
from llmlab.market.bars.manifest import Manifest, describe, write
from llmlab.market.bars.sources import SOURCES, load
from llmlab.method.errors import LabError
from llmlab.method.locks import beside, locked


def from_source(name: str, folder: Path) -> list[Manifest]:
    """Write a manifest of every asset of a source; errors as in `sources.load`."""
    assets, source = load(name), SOURCES[name]
    return _written(
        [describe(bars, source.version, source.licence) for bars in assets.values()], folder
    )


def from_file(path: Path, jumps: str, folder: Path) -> list[Manifest]:
    """Write the manifest of the bars in a file; errors as in `read_csv`."""
    return _written([describe(read_csv(path, jumps), "", "unknown")], folder)


def fetched(template: str, symbols: list[str], jumps: str, folder: Path) -> list[Manifest]:
    """Fetch the bars of each symbol and write manifests; errors as `fetch_all` and `read_csv`."""
    if not symbols:
        raise LabError("--url needs symbols to fetch; name them with --symbols A,B.")
    if path := next((symbol for symbol in symbols if Path(symbol).name != symbol), None):
        raise LabError(f"--symbols has {path}, which cannot name a file; write it without slashes.")
    taken = f"another process is fetching bars into {folder}: wait until it ends."
    with locked(beside(folder), taken):
        fetch_all(template, symbols, folder, tell=lambda event: print(event, file=sys.stderr))
    files = [folder / f"{symbol}.csv" for symbol in symbols]
    return _written([describe(read_csv(file, jumps), "", "unknown") for file in files], folder)


def _written(manifests: list[Manifest], folder: Path) -> list[Manifest]:
    for manifest in manifests:
        write(manifest, folder)
    return manifests
