"""Pack the evidence of a version into an archive, with metadata for repositories.

CITATION.cff has cff-version 1.2.0, `.zenodo.json` follows Zenodo's deposit API, and an RO-Crate
(w3id.org/ro/crate) describes the tables.
"""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import yaml
from rocrate.model import ContextEntity
from rocrate.rocrate import ROCrate

from llmlab.book.press.contents import Contents
from llmlab.book.versions.snapshot import Table
from llmlab.method.files import unwritable, write_file, write_with

ARCHIVE = "evidence.zip"
CITATION = "CITATION.cff"
ZENODO = ".zenodo.json"
CRATE = "ro-crate-metadata.json"
LICENCE = "MIT"
LICENCE_URL = "https://spdx.org/licenses/MIT"
KEYWORDS = ("language models", "reproducibility", "registered hypotheses")
FORMATS = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".parquet": "application/vnd.apache.parquet",
}
EPOCH = (1980, 1, 1, 0, 0, 0)
"""Timestamp of every file in the archive, so that the same evidence gives the same bytes."""


@dataclass(frozen=True)
class Release:
    """A version and its basis: commit, contents, tables.

    Attributes:
        date: of the commit, ISO 8601.
    """

    version: str
    commit: str
    date: str
    contents: Contents
    tables: tuple[Table, ...]


def write_bundle(release: Release, results: Path, out: Path) -> None:
    """Write the archive and its metadata into `out`.

    Args:
        results: folder of the recorded tables.

    Raises:
        LabError: a file cannot be read or written.
    """
    described = {
        CITATION: citation(release),
        ZENODO: json.dumps(zenodo(release), indent=2) + "\n",
        CRATE: _crate(release, results),
    }
    for name, text in described.items():
        write_file(out / name, text)
    write_with(out / ARCHIVE, lambda path: _write_archive(path, described, results))


def citation(release: Release) -> str:
    """The CITATION.cff of a version."""
    return yaml.safe_dump(
        {
            **citation_of_any(release.contents),
            "version": release.version,
            "commit": release.commit,
            "date-released": release.date[:10],
        },
        sort_keys=False,
        allow_unicode=True,
    )


def citation_of_any(contents: Contents) -> dict[str, object]:
    """The CITATION.cff of the book in any version, as stored in the repository."""
    return {
        "cff-version": "1.2.0",
        "message": "If you use this book or its tables, please cite it as below.",
        "type": "dataset",
        "title": contents.title,
        "abstract": contents.description.strip(),
        "authors": [{"name": contents.author}],
        "license": LICENCE,
        "keywords": list(KEYWORDS),
    }


def zenodo(release: Release) -> dict[str, object]:
    """Zenodo's metadata of a deposit."""
    return {
        "title": f"{release.contents.title} {release.version}",
        "description": release.contents.description.strip(),
        "creators": [{"name": release.contents.author}],
        "upload_type": "dataset",
        "version": release.version,
        "publication_date": release.date[:10],
        "access_right": "open",
        "license": LICENCE,
        "keywords": list(KEYWORDS),
    }


def _crate(release: Release, results: Path) -> str:
    """The tables, each with its experiment, rows, commit and SHA-256, in RO-Crate's JSON-LD."""
    crate = ROCrate()
    crate.name = f"{release.contents.title} {release.version}"
    crate.description = release.contents.description.strip()
    crate.license = crate.add(_licence(crate))
    crate.creator = crate.add(_authors(crate, release.contents.author))
    crate.datePublished = release.date
    for table in release.tables:
        for name, digest in sorted(table.sha256.items()):
            path = results / table.scale / table.experiment / name
            described = {
                "name": f"{name} of {table.experiment} at {table.scale} scale",
                "sha256": digest,
                "contentSize": str(path.stat().st_size),
                "encodingFormat": FORMATS.get(path.suffix, "application/octet-stream"),
                "dateCreated": table.finished,
                "version": table.git_commit,
            }
            where = f"results/{table.scale}/{table.experiment}/{name}"
            crate.add_file(path, dest_path=where, properties=described)
    return json.dumps(crate.metadata.generate(), indent=2, sort_keys=True) + "\n"


def _licence(crate: ROCrate) -> ContextEntity:
    return ContextEntity(
        crate, LICENCE_URL, properties={"@type": "CreativeWork", "name": f"{LICENCE} License"}
    )


def _authors(crate: ROCrate, name: str) -> ContextEntity:
    return ContextEntity(crate, "#authors", properties={"@type": "Organization", "name": name})


def _write_archive(path: Path, inside: dict[str, str], results: Path) -> None:
    try:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in inside.items():
                archive.writestr(_entry(name), text)
            for file in sorted(file for file in results.rglob("*") if file.is_file()):
                name = f"results/{file.relative_to(results).as_posix()}"
                archive.writestr(_entry(name), file.read_bytes())
    except OSError as error:
        raise unwritable(path, error) from error


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry
