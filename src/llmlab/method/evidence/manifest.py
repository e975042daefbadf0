"""The manifest beside a table: its provenance and checksums."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path, PurePath

from pydantic import TypeAdapter, ValidationError

from llmlab.method.checksums import file_sha256
from llmlab.method.documents import first_mistake
from llmlab.method.errors import LabError
from llmlab.method.evidence.fingerprint import Fingerprint
from llmlab.method.files import write_file

MANIFEST = "manifest.json"
KEPT = "kept"
"""The folder of the files that runs keep for other experiments."""


@dataclass(frozen=True)
class Manifest:
    """Provenance of the tables in one folder.

    Attributes:
        git_commit: commit of the code that made the tables, or "unknown".
        git_dirty: whether the code that the runs reach differed from that commit.
        command: the command that makes the tables again.
        started, finished: start of the first and end of the last run, ISO 8601 in UTC.
        host: operating system and machine type.
        device: processor or accelerator used, in words.
        libraries: version of each library that can change a result.
        rows: rows of `runs.csv`.
        sha256: SHA-256 of each file beside the manifest, by name.
        judged_before: number of seeds each earlier time that the table was recorded, and so judged,
            before more seeds were added to the same runs.
        kept: SHA-256 of each file that the runs kept for other experiments, by its path.
        commits: number of runs computed at each commit; empty in older manifests.
    """

    experiment: str
    scale: str
    fingerprint: Fingerprint
    git_commit: str
    git_dirty: bool
    command: str
    started: str
    finished: str
    host: str
    device: str
    libraries: Mapping[str, str]
    seeds: tuple[int, ...]
    rows: int
    sha256: Mapping[str, str]
    judged_before: tuple[int, ...] = ()
    kept: Mapping[str, str] = field(default_factory=dict)
    commits: Mapping[str, int] = field(default_factory=dict)

    @property
    def looks(self) -> tuple[int, ...]:
        """The number of seeds at each look at these runs, including this one."""
        return (*self.judged_before, len(self.seeds))

    @property
    def files(self) -> dict[str, str]:
        """SHA-256 of every file that the manifest vouches for, by its path in the folder."""
        return {**self.sha256, **{f"{KEPT}/{name}": sha256 for name, sha256 in self.kept.items()}}


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `manifest.json` into `folder`; errors as in `write_file`."""
    write_file(folder / MANIFEST, json.dumps(asdict(manifest), indent=2) + "\n")


def read_manifest(folder: Path) -> Manifest:
    """The manifest in `folder`.

    Raises:
        LabError: the manifest cannot be read or is damaged.
    """
    path = folder / MANIFEST
    try:
        return parse_manifest(path, path.read_bytes())
    except OSError as error:
        raise LabError(
            f"{path} cannot be read ({error.strerror}); run the experiment again."
        ) from error


def parse_manifest(path: PurePath, content: bytes) -> Manifest:
    """The manifest that a file holds.

    Raises:
        LabError: the manifest is damaged; names `path`.
    """
    try:
        return _reader().validate_json(content)
    except ValidationError as error:
        raise LabError(
            f"{path} is damaged ({first_mistake(error)}); restore it or run the experiment again."
        ) from error


@cache
def _reader() -> TypeAdapter:
    return TypeAdapter(Manifest)


def verified(folder: Path, name: str) -> Path:
    """The path of a file in `folder`, checked against the manifest.

    Raises:
        LabError: the file is missing, or its SHA-256 differs from the manifest's.
    """
    path = folder / name
    if not path.is_file():
        raise LabError(f"{path} is missing; restore it or run the experiment again.")
    if file_sha256(path) != read_manifest(folder).sha256.get(name):
        raise LabError(
            f"{path} was cut short or edited (its SHA-256 differs from manifest.json); restore it "
            "or run the experiment again."
        )
    return path


def require_kept(folder: Path) -> None:
    """Check the files that the runs of a folder kept for others, before one is read.

    Raises:
        LabError: the manifest cannot be read, or a file is missing or has another SHA-256.
    """
    manifest = read_manifest(folder)
    for name in damaged(folder / KEPT, manifest.kept):
        raise LabError(
            f"{folder / KEPT / name} is missing, or was cut short or edited (its SHA-256 differs "
            f"from manifest.json); `{manifest.command}` makes it again."
        )


def damaged(folder: Path, expected: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the files in a folder that are missing or have another SHA-256 than expected."""
    return tuple(
        name
        for name, sha256 in expected.items()
        if not (folder / name).is_file() or file_sha256(folder / name) != sha256
    )


def is_intact(folder: Path, manifest: Manifest) -> bool:
    """Whether all files that a manifest lists exist with the right checksums."""
    return not damaged(folder, manifest.files)
