"""Pack the tables and finished runs of a campaign into a few small files.

A pack is a gzipped tar of paths below `build/results`. A large one is split into files small enough
to mail: `pack.tar.gz`, `pack-2.tar.gz`, ... Weights that runs kept for other experiments are in
`pack-kept.tar.gz`, which only a machine needs that continues the campaign.
"""

import gzip
import io
import re
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from llmlab.method.declare.catalog import catalog
from llmlab.method.declare.experiment import SCALES
from llmlab.method.errors import LabError
from llmlab.method.evidence.manifest import KEPT
from llmlab.method.files import is_aside, unreadable, unwritable, write_file
from llmlab.method.project import Project

MOST_BYTES = 14_000_000
"""Largest file of a pack in bytes, before compression and except kept weights."""

SUFFIX = ".tar.gz"
_PATH = re.compile(r"[a-z]+/\w+/([\w.-]+|parts/[0-9a-f]+/[\w.=-]+|(parts/[0-9a-f]+/)?kept/.+)")


def pack(project: Project, scale: str, target: Path) -> list[Path]:
    """Write the tables and finished runs of a scale into one or more files.

    Args:
        target: the first of them, `NAME.tar.gz`.

    Returns:
        The files written; none if there is nothing to pack.

    Raises:
        LabError: the target has another suffix, or cannot be written.
    """
    if not target.name.endswith(SUFFIX):
        raise LabError(f"'{target.name}' does not end in {SUFFIX}; name it like pack{SUFFIX}.")
    results = project.build / "results"
    found = sorted(path for path in (results / scale).rglob("*") if _is_result(path))
    light = [path for path in found if KEPT not in path.relative_to(results).parts]
    heavy = [path for path in found if path not in light]
    written = [
        _write(_numbered(target, number), results, paths)
        for number, paths in enumerate(_portions(light), start=1)
    ]
    return written + ([_write(_named(target, "-kept"), results, heavy)] if heavy else [])


def _is_result(path: Path) -> bool:
    return path.is_file() and path.suffix != ".lock" and not is_aside(path.name)


def _portions(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Group paths, in order, so that each group fits into one file before compression."""
    portion, size = [], 0
    for path in paths:
        extra = path.stat().st_size
        if portion and size + extra > MOST_BYTES:
            yield portion
            portion, size = [], 0
        portion.append(path)
        size += extra
    if portion:
        yield portion


def _numbered(target: Path, number: int) -> Path:
    return target if number == 1 else _named(target, f"-{number}")


def _named(target: Path, addition: str) -> Path:
    return target.with_name(target.name.removesuffix(SUFFIX) + addition + SUFFIX)


def _write(target: Path, results: Path, paths: Sequence[Path]) -> Path:
    content = io.BytesIO()
    try:
        with tarfile.open(fileobj=content, mode="w:gz") as archive:
            for path in paths:
                archive.add(path, path.relative_to(results).as_posix())
    except OSError as error:
        raise unwritable(target, error) from error
    write_file(target, content.getvalue())
    return target


def unpack(project: Project, source: Path) -> list[str]:
    """Unpack a pack, with its other files, into `build/results`.

    Existing files stay unless the pack has a file with the same path.

    Returns:
        The paths that were written, below `build/results`.

    Raises:
        LabError: a file cannot be read or is not a pack, or a result cannot be written.
    """
    files = [source, *sorted(source.parent.glob(source.name.removesuffix(SUFFIX) + "-*" + SUFFIX))]
    return [name for file in files for name in _unpack_one(project, file)]


def _unpack_one(project: Project, source: Path) -> list[str]:
    try:
        with tarfile.open(source) as archive:
            members = archive.getmembers()
            for member in members:
                _check(source, member)
            contents = {each.name: archive.extractfile(each).read() for each in members}
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise LabError(
            f"{source} is not a pack of a campaign, or it was cut short; copy it again."
        ) from error
    except OSError as error:
        raise unreadable(source, error) from error
    for name in sorted(contents, key=lambda name: name.endswith("manifest.json")):
        write_file(project.build / "results" / name, contents[name])  # manifests last: they vouch
    return list(contents)


def _check(source: Path, member: tarfile.TarInfo) -> None:
    """Raise LabError for a member that a pack never has."""
    parts = PurePosixPath(member.name).parts
    known = len(parts) > 2 and parts[0] in SCALES and parts[1] in catalog()
    if not (known and member.isfile() and ".." not in parts and _PATH.fullmatch(member.name)):
        raise LabError(
            f"{source} holds '{member.name}', which no campaign of this book packs; give a file "
            "that `llmlab campaign` wrote with the same version of the book."
        )
