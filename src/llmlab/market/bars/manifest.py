"""Manifests of bars: their source and properties, never the bars themselves."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from llmlab.market.bars.bars import Bars, bad_days, gaps, named
from llmlab.method.files import write_file


@dataclass(frozen=True)
class Manifest:
    """The facts about one data set.

    Attributes:
        version: version of the package, or "" for a file.
        sha256: see `Bars.sha256`.
        gaps: periods of more than five calendar days without a bar.
        duplicates: number of repeated dates.
        zero_volume, missing_volume: number of rows; allowed for an index.
        bad: dates of invalid bars, by the kind of error.
        notes: processing steps, and days on which a traded asset has no volume.
    """

    name: str
    source: str
    version: str
    licence: str
    sha256: str
    rows: int
    first: str
    last: str
    gaps: tuple[str, ...]
    duplicates: int
    zero_volume: int
    missing_volume: int
    bad: dict[str, list[str]]
    notes: tuple[str, ...]


def describe(bars: Bars, version: str, licence: str) -> Manifest:
    """The manifest of bars."""
    index, volume = bars.frame.index, bars.frame.get("volume")
    return Manifest(
        name=bars.name,
        source=bars.source,
        version=version,
        licence=licence,
        sha256=bars.sha256,
        rows=len(bars),
        first=str(index[0].date()),
        last=str(index[-1].date()),
        gaps=tuple(gaps(bars)),
        duplicates=int(index.duplicated().sum()),
        zero_volume=0 if volume is None else int((volume == 0).sum()),
        missing_volume=len(bars) if volume is None else int(volume.isna().sum()),
        bad={what: days for what, days in bad_days(bars).items() if days},
        notes=(*bars.notes, *_days_without_trades(bars)),
    )


def _days_without_trades(bars: Bars) -> list[str]:
    """A note on an asset that is no index and lacks volume on some days, but not on all."""
    if bars.is_index or "volume" not in bars.frame:
        return []
    has_none = ~(bars.frame["volume"] > 0)
    if not has_none.any() or has_none.all():
        return []
    days = [str(day.date()) for day in bars.frame.index[has_none]]
    return [f"no volume on {named(days)}"]


def write(manifest: Manifest, folder: Path) -> Path:
    """Write `NAME.json` into a folder; errors as in `write_file`."""
    path = folder / f"{manifest.name}.json"
    write_file(path, json.dumps(asdict(manifest), indent=2) + "\n")
    return path
