"""Equivalence: a rerun showed that older code and later code give the same results, bit for bit.

`equivalence.json` is stored beside a manifest that names older code. It holds only for that
fingerprint and the one it was compared with; any later change makes the evidence stale.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from llmlab.method.documents import first_mistake
from llmlab.method.errors import LabError
from llmlab.method.evidence.fingerprint import Fingerprint
from llmlab.method.files import write_file

EQUIVALENCE = "equivalence.json"


@dataclass(frozen=True)
class Equivalence:
    """Two states of the code that gave the same rows, curves, views and kept files.

    Attributes:
        recorded, now: digests of the fingerprints of the evidence and of the code compared with it.
        commit_recorded, commit_now: the commits that were run.
        changed: the definitions that changed; the run executed all of them.
        scale: scale of both runs.
        rows: number of runs compared.
        sha256: checksums of the tables that both gave, without seconds and memory.
        date: ISO 8601 in UTC.
    """

    recorded: str
    now: str
    commit_recorded: str
    commit_now: str
    changed: tuple[str, ...]
    scale: str
    rows: int
    sha256: Mapping[str, str]
    host: str
    device: str
    libraries: Mapping[str, str]
    date: str

    def holds(self, recorded: Fingerprint, now: Fingerprint) -> bool:
        """Whether it covers exactly these two fingerprints."""
        return (self.recorded, self.now) == (recorded.digest, now.digest)

    def holds_for_runs(self, recorded: Fingerprint, now: Fingerprint) -> bool:
        """Whether it covers their runs: as `holds`, whatever number of seeds or conditions."""
        return self.holds(recorded, replace(now, budget=recorded.budget))


def write_equivalence(folder: Path, equivalence: Equivalence) -> None:
    """Write `equivalence.json` into `folder`; errors as in `write_file`."""
    write_file(folder / EQUIVALENCE, json.dumps(asdict(equivalence), indent=2) + "\n")


def read_equivalence(folder: Path) -> Equivalence | None:
    """The equivalence in `folder`, if there is one.

    Raises:
        LabError: the file is damaged.
    """
    path = folder / EQUIVALENCE
    if not path.is_file():
        return None
    try:
        return _reader().validate_json(path.read_bytes())
    except ValidationError as error:
        raise LabError(
            f"{path} is damaged ({first_mistake(error)}): restore it from git."
        ) from error


@cache
def _reader() -> TypeAdapter:
    return TypeAdapter(Equivalence)
