"""Pack tables and finished runs, to bring them to another machine.

A pack is a gzipped tar of paths below `build/results`. A file that runs kept for other experiments
is a link in it, whose target is named by the SHA-256 of its content: equal files are packed once.
The pack of a campaign is split into files small enough to mail: `pack.tar.gz`, `pack-2.tar.gz`, ...
The targets of its links are in the folder `kept` beside them, which only a machine needs that
continues the campaign. The pack of one experiment is a single file, targets included, for a bucket.
"""

import io
import lzma
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
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
from llmlab.method.running import kept
from llmlab.method.running.parts import LOCK, PARTS

MOST_BYTES = 14_000_000
"""Largest file of a pack in bytes, before compression and except kept weights."""

SUFFIX = ".tar.gz"
_PATH = re.compile(r"[a-z]+/\w+/([\w.-]+|parts/[0-9a-f]+/[\w.=-]+)")
_KEPT_PATH = re.compile(r"([a-z]+/\w+/(?:parts/[0-9a-f]+/)?)kept/.+")
_TARGET = re.compile(r"kept/([0-9a-f]{64})")


@dataclass(frozen=True)
class Packed:
    """What packing wrote.

    Attributes:
        files: the files of the pack, to be brought along.
        kept: the files in the folder `kept` beside them that were not there before.
    """

    files: tuple[Path, ...]
    kept: tuple[Path, ...]


@dataclass(frozen=True)
class Unpacked:
    """What unpacking wrote.

    Attributes:
        names: the paths written, below `build/results`.
        missing: the paths of kept files whose content did not come along.
    """

    names: tuple[str, ...]
    missing: tuple[str, ...]


def pack(project: Project, scale: str, target: Path) -> Packed:
    """Write the tables and finished runs of a scale into one or more files.

    Args:
        target: the first of them, `NAME.tar.gz`; the folder `kept` is beside it.

    Raises:
        LabError: the target has another suffix, or cannot be written.
    """
    _check_suffix(target)
    results = project.build / "results"
    found = _results_below(results / scale)
    files = [
        _write(_numbered(target, number), results, paths)
        for number, paths in enumerate(_portions(results, found), start=1)
    ]
    heavy = [path for path in found if _is_kept(results, path)]
    return Packed(tuple(files), tuple(kept.put(target.parent / KEPT, heavy)))


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
    _write(target, project.build / "results", found, with_kept=True)


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


def _is_kept(results: Path, path: Path) -> bool:
    return _KEPT_PATH.fullmatch(path.relative_to(results).as_posix()) is not None


def _portions(results: Path, paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Group paths, in order, so that each group fits into one file before compression."""
    portion, size = [], 0
    for path in paths:
        extra = 0 if _is_kept(results, path) else path.stat().st_size
        if portion and size + extra > MOST_BYTES:
            yield portion
            portion, size = [], 0
        portion.append(path)
        size += extra
    if portion:
        yield portion


def _numbered(target: Path, number: int) -> Path:
    name = target.name.removesuffix(SUFFIX)
    return target if number == 1 else target.with_name(f"{name}-{number}{SUFFIX}")


def _write(target: Path, results: Path, paths: Sequence[Path], with_kept: bool = False) -> Path:
    content = io.BytesIO()
    try:
        with tarfile.open(fileobj=content, mode="w:gz") as archive:
            for path in paths:
                name = path.relative_to(results).as_posix()
                if _is_kept(results, path):
                    _add_link(archive, name, read_bytes(path), with_kept)
                else:
                    archive.add(path, name)
    except OSError as error:
        raise unwritable(target, error) from error
    write_file(target, content.getvalue())
    return target


def _add_link(archive: tarfile.TarFile, name: str, content: bytes, with_target: bool) -> None:
    """Add a link to a content, and the content itself unless it is in the archive already."""
    target = tarfile.TarInfo(f"{KEPT}/{kept.sha256_of(content)}")
    target.size = len(content)
    if with_target and target.name not in archive.getnames():
        archive.addfile(target, io.BytesIO(content))
    link = tarfile.TarInfo(name)
    link.type, link.linkname = tarfile.LNKTYPE, target.name
    archive.addfile(link)


def unpack(project: Project, source: Path) -> Unpacked:
    """Unpack a pack, with its other files, into `build/results`.

    Existing files stay unless the pack has a file with the same path. If kept files did not come
    along, neither do the runs that kept them, except in finished tables.

    Raises:
        LabError: a file cannot be read, is not a pack, or holds a table or weights that differ from
            their manifest or SHA-256, another process is running the experiment, or a result cannot
            be written; nothing is written then.
    """
    files = [source, *sorted(source.parent.glob(source.name.removesuffix(SUFFIX) + "-*" + SUFFIX))]
    contents, links = {}, {}
    for found, linked in map(_contents, files):
        contents |= found
        links |= linked
    targets = _take_targets(source, contents)
    contents |= _resolved(project, source, links, targets)
    missing = [name for name in links if name not in contents]
    lost = tuple(_KEPT_PATH.fullmatch(name)[1] for name in missing if f"/{PARTS}/" in name)
    contents = {name: data for name, data in contents.items() if not name.startswith(lost)}
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
    return Unpacked(tuple(contents), tuple(missing))


def _contents(source: Path) -> tuple[dict[str, bytes], dict[str, str]]:
    """The files of a pack, and the SHA-256 that its links lead to, both by path."""
    try:
        with tarfile.open(fileobj=io.BytesIO(read_bytes(source))) as archive:
            members = list(_checked(source, archive))
            files = [each for each in members if each.isfile()]
            return (
                {each.name: archive.extractfile(each).read() for each in files},
                {
                    each.name: _TARGET.fullmatch(each.linkname)[1]
                    for each in members
                    if each.islnk()
                },
            )
    except (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError) as error:
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
        _check_size(source, size)
        yield member


def _check_size(source: Path, size: int) -> None:
    if size > LARGEST:
        raise LabError(
            f"{source} unpacks to more than a gibibyte; give a file that `llmlab campaign` or "
            "`llmlab pack` wrote."
        )


def _take_targets(source: Path, contents: dict[str, bytes]) -> dict[str, bytes]:
    """Take the targets of links out of the files of a pack; returns them by SHA-256."""
    found = {}
    for match in filter(None, map(_TARGET.fullmatch, list(contents))):
        found[match[1]] = contents.pop(match[0])
        if kept.sha256_of(found[match[1]]) != match[1]:
            raise LabError(
                f"{source} holds '{match[0]}' with another SHA-256 than its name; copy the pack "
                "again, or make it anew."
            )
    return found


def _resolved(
    project: Project, source: Path, links: Mapping[str, str], targets: Mapping[str, bytes]
) -> dict[str, bytes]:
    """The content of each kept file that is in the pack, here already, or in the folder `kept`."""
    found, size = {}, 0
    for name, sha256 in links.items():
        content = targets.get(sha256)
        if content is None:
            content = _here(project, name, sha256)
        if content is None:
            content = kept.get(source.parent / KEPT, sha256)
        if content is not None:
            found[name] = content
            size += len(content)
            _check_size(source, size)
    return found


def _here(project: Project, name: str, sha256: str) -> bytes | None:
    """The content of a result that is here already, if it is the expected one."""
    path = project.build / "results" / name
    content = read_bytes(path) if path.is_file() else None
    return content if content is not None and kept.sha256_of(content) == sha256 else None


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
    if not (_is_result(member) or (member.isfile() and _TARGET.fullmatch(member.name))):
        raise LabError(
            f"{source} holds '{member.name}', which this book never packs; give a file that "
            "`llmlab campaign` or `llmlab pack` wrote with the same version of the book."
        )


def _is_result(member: tarfile.TarInfo) -> bool:
    """Whether a member is a result of an experiment: a file, or a link to what it kept."""
    parts = PurePosixPath(member.name).parts
    known = len(parts) > 2 and parts[0] in SCALES and parts[1] in catalog() and ".." not in parts
    is_kept = _KEPT_PATH.fullmatch(member.name)
    if member.islnk():
        return bool(known and is_kept and _TARGET.fullmatch(member.linkname))
    return bool(known and member.isfile() and (is_kept or _PATH.fullmatch(member.name)))
