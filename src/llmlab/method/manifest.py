"""Where a table comes from: the manifest that lies beside it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from llmlab.method.digest import Fingerprint
from llmlab.method.errors import LabError
from llmlab.method.files import write_file

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """Provenance of the tables in one folder.

    Attributes:
        git_commit: commit that the code was at, or "unknown".
        git_dirty: whether the code that the experiment imports differed from that commit.
        command: the command that makes the tables again.
        started, finished: of the first and the last run, ISO 8601 in UTC.
        host: operating system and machine type.
        device: processor or accelerator that computed, in words.
        libraries: version of each library that can change a number.
        rows: rows of `runs.csv`.
        sha256: SHA-256 of each file beside the manifest, by name.
        judged_before: how many seeds the table had each time that it was recorded, and so judged,
            before more seeds were added to the same runs.
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

    @property
    def looks(self) -> tuple[int, ...]:
        """The number of seeds at each look at these runs, this one included."""
        return (*self.judged_before, len(self.seeds))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `manifest.json` into `folder`; errors as `write_file`."""
    write_file(folder / MANIFEST, json.dumps(asdict(manifest), indent=2) + "\n")


def read_manifest(folder: Path) -> Manifest:
    """The manifest in `folder`.

    Raises:
        LabError: there is none that can be read, or it is not what `write_manifest` writes.
    """
    path = folder / MANIFEST
    try:
        fields = json.loads(path.read_bytes())
        fields["fingerprint"] = Fingerprint(**fields["fingerprint"])
        fields["seeds"] = tuple(fields["seeds"])
        fields["judged_before"] = tuple(fields.get("judged_before", ()))
        return Manifest(**fields)
    except OSError as error:
        raise LabError(
            f"{path} cannot be read ({error.strerror}); run the experiment again."
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        raise LabError(
            f"{path} is damaged ({error}); restore it or run the experiment again."
        ) from error


def verified(folder: Path, name: str) -> Path:
    """The path of a file in `folder` whose bytes are those that its manifest knows.

    Raises:
        LabError: it is missing, or not the one that was written.
    """
    path = folder / name
    expected = read_manifest(folder).sha256.get(name)
    if not path.is_file():
        raise LabError(f"{path} is missing; restore it or run the experiment again.")
    if file_sha256(path) != expected:
        raise LabError(
            f"{path} is not the file that was written (its SHA-256 differs from manifest.json): "
            "it was cut short or edited; restore it or run the experiment again."
        )
    return path


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
