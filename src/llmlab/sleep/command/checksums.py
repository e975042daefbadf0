"""Checksums beside a coder: weights and vocabularies of two coders may be of the same size."""

import json
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from llmlab.method.checksums import file_sha256
from llmlab.method.errors import LabError
from llmlab.method.files import write_file

CHECKSUMS = "checksums.json"
FORM = TypeAdapter(dict[str, str])


def write_checksums(folder: Path) -> None:
    """Write the SHA-256 of each file in `folder` beside them; errors as `write_file`."""
    found = {path.name: file_sha256(path) for path in sorted(folder.iterdir())}
    write_file(folder / CHECKSUMS, json.dumps(found, indent=2) + "\n")


def require_same_files(folder: Path) -> None:
    """Check that a coder's files are those that were saved; older coders have no checksums.

    Raises:
        LabError: a file is missing, or another one.
    """
    if not (folder / CHECKSUMS).is_file():
        return
    again = "put back the one that was saved, or train the coder again with `llmlab sleep train`."
    try:
        expected = FORM.validate_json((folder / CHECKSUMS).read_bytes())
    except (OSError, ValidationError):
        raise LabError(f"{folder / CHECKSUMS} holds no checksums: {again}") from None
    for name, sha256 in expected.items():
        path = folder / name
        if not path.is_file() or file_sha256(path) != sha256:
            raise LabError(f"{path} is missing or not the file that was saved: {again}")
