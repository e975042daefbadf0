"""Pack tables and finished runs, to bring them to another machine.

A pack is a gzipped tar of paths below `build/results`. That of a campaign is split into files small
enough to mail: `pack.tar.gz`, `pack-2.tar.gz`, ... Weights that runs kept for other experiments are
in `pack-kept.tar.gz`, which only a machine needs that continues the campaign. That of one
experiment is a single file, for a bucket.
"""

import io
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path, PurePath, PurePosixPath

from llmlab.method.checksums import content_sha256
from llmlab.method.declare.catalog import catalog
from llmlab.method.declare.experiment import SCALES
from llmlab.method.errors import LabError
from llmlab.method.evidence.manifest import KEPT, MANIFEST, parse_manifest
from llmlab.method.files import (
    LARGEST,
    is_aside,
    read_bytes,
    remove_asides,
    require_writable,
    unwritable,
    write_file,
    write_files,
)
from llmlab.method.locks import locked
from llmlab.method.project import Project
from llmlab.method.running.parts import LOCK, PARTS

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
    _check_suffix(target)
    results = project.build / "results"
    found = _results_below(results / scale)
    light = [path for path in found if KEPT not in path.relative_to(results).parts]
    heavy = [path for path in found if path not in light]
    written = [
        _write(_numbered(target, number), results, paths)
        for number, paths in enumerate(_portions(light), start=1)
    ]
    return written + ([_write(_named(target, "-kept"), results, heavy)] if heavy else [])


def pack_experiment(project: Project, scale: str, experiment: str, target: Path) -> None:
    """Write the results of one experiment into one file.

    These are its tables with the files that it keeps; while runs are missing, its finished runs.

    Raises:
        LabError: it has no finished run, the target has another suffix, or cannot be written.
    """
    _check_suffix(target)
    folder = project.fresh(scale, experiment)
    found = _results_below(folder)
    if (folder / MANIFEST).is_file():
        found = [path for path in found if PARTS not in path.relative_to(folder).parts]
    if not found:
        raise LabError(
            f"{experiment} has no finished run at scale '{scale}'; "
            f"run `llmlab run {experiment} --scale {scale}` first."
        )
    _write(target, project.build / "results", found)


def check_target(target: Path) -> None:
    """Raise LabError if a pack cannot be written, before hours of work go into it."""
    _check_suffix(target)
    require_writable(target)


def _check_suffix(target: Path) -> None:
    if not target.name.endswith(SUFFIX):
        raise LabError(f"'{target.name}' does not end in {SUFFIX}; name it like pack{SUFFIX}.")


def _results_below(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock" and not is_aside(path.name)
    )


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
        LabError: a file cannot be read, is not a pack, or holds a table or weights that differ from
            their manifest, another process is running the experiment, or a result cannot be
            written; nothing is written then.
    """
    files = [source, *sorted(source.parent.glob(source.name.removesuffix(SUFFIX) + "-*" + SUFFIX))]
    contents = {name: content for file in files for name, content in _contents(file).items()}
    _verify(source, contents)
    with ExitStack() as held:
        for folder in sorted({PurePosixPath(*PurePosixPath(name).parts[:2]) for name in contents}):
            taken = (
                f"another process is running {folder.name} at scale '{folder.parent}'; wait for it "
                "to end, then unpack again."
            )
            held.enter_context(locked(project.build / "results" / folder / LOCK, taken, 1.0))
            remove_asides(project.build / "results" / folder)
        ordered = sorted(contents, key=_is_manifest)  # manifests last: they vouch
        write_files({project.build / "results" / name: contents[name] for name in ordered})
    return list(contents)


def _contents(source: Path) -> dict[str, bytes]:
    try:
        with tarfile.open(fileobj=io.BytesIO(read_bytes(source))) as archive:
            members = list(_checked(source, archive))
            return {each.name: archive.extractfile(each).read() for each in members}
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise LabError(
            f"{source} is not a pack of this book, or it was cut short; copy it again."
        ) from error


def _checked(source: Path, archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members of a pack, each checked before the next is looked for.

    A small file may unpack to far more than memory holds.
    """
    size = 0
    for member in archive:
        _check(source, member)
        size += member.size
        if size > LARGEST:
            raise LabError(
                f"{source} unpacks to more than a gibibyte; give a file that `llmlab campaign` or "
                "`llmlab pack` wrote."
            )
        yield member


def _is_manifest(name: str) -> bool:
    return PurePosixPath(name).name == MANIFEST


def _verify(source: Path, contents: Mapping[str, bytes]) -> None:
    """Raise LabError for a table or kept file whose SHA-256 is not that in its manifest."""
    for manifest in filter(_is_manifest, contents):
        folder = PurePosixPath(manifest).parent
        vouched = parse_manifest(source / manifest, contents[manifest]).files
        for name, sha256 in vouched.items():
            content = contents.get(f"{folder}/{name}")
            if content is not None and content_sha256(PurePath(name), content) != sha256:
                raise LabError(
                    f"{source} holds '{folder}/{name}' with another SHA-256 than in its manifest; "
                    "copy the pack again, or make it anew."
                )


def _check(source: Path, member: tarfile.TarInfo) -> None:
    """Raise LabError for a member that a pack never has."""
    parts = PurePosixPath(member.name).parts
    known = len(parts) > 2 and parts[0] in SCALES and parts[1] in catalog()
    if not (known and member.isfile() and ".." not in parts and _PATH.fullmatch(member.name)):
        raise LabError(
            f"{source} holds '{member.name}', which this book never packs; give a file that "
            "`llmlab campaign` or `llmlab pack` wrote with the same version of the book."
        )
