"""Kept files by content: a folder in which each file is named by its SHA-256.

Equal files are in it once, and what is there already need not be written, sent or fetched again.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from llmlab.method.errors import LabError
from llmlab.method.files import read_bytes, write_file


def sha256_of(content: bytes) -> str:
    """The name of a content: its SHA-256 in hexadecimal, line endings included."""
    return hashlib.sha256(content).hexdigest()


def put(folder: Path, paths: Iterable[Path]) -> list[Path]:
    """Copy files into a folder of kept files; one that is damaged there is written again.

    Returns:
        The files that were written: those whose content was not there.

    Raises:
        LabError: a file cannot be read or written; no half of one is left behind.
    """
    written = []
    for path in paths:
        content = read_bytes(path)
        target = folder / sha256_of(content)
        if not target.is_file() or read_bytes(target) != content:
            write_file(target, content)
            written.append(target)
    return written


def get(folder: Path, sha256: str) -> bytes | None:
    """The content of that SHA-256; None if the folder lacks it.

    Raises:
        LabError: the file of that name holds something else, or cannot be read.
    """
    path = folder / sha256
    if not path.is_file():
        return None
    content = read_bytes(path)
    if sha256_of(content) != sha256:
        raise LabError(
            f"{path} was cut short or edited (its SHA-256 is not its name); copy it again, or pack "
            "it anew with the same command, which writes it again."
        )
    return content
