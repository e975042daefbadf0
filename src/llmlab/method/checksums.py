"""SHA-256 of files; line endings of text files do not count."""

import hashlib
from pathlib import Path, PurePath

from llmlab.method.files import is_aside

TEXT = frozenset({".csv", ".json", ".toml", ".txt"})


def checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of each file below a folder, by its path; skips files left half-written."""
    found = sorted(path for path in folder.rglob("*") if path.is_file() and not is_aside(path.name))
    return {path.relative_to(folder).as_posix(): file_sha256(path) for path in found}


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal, as by `content_sha256`."""
    if path.suffix in TEXT:
        return content_sha256(path, path.read_bytes())
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_sha256(path: PurePath, content: bytes) -> str:
    """SHA-256 of what a file holds; line endings of text files are normalised to LF first.

    A checkout may have CRLF: git rewrites line endings if `core.autocrlf` is set.
    """
    if path.suffix in TEXT:
        content = content.replace(b"\r\n", b"\n")
    return hashlib.sha256(content).hexdigest()
