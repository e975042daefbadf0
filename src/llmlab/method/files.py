"""Atomic writes of files, and one way to read text."""

import codecs
import io
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile

import llmlab
from llmlab.method.errors import LabError

SOURCE = Path(llmlab.__file__).resolve().parent.parent
"""The folder that holds the package."""
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
LARGEST = 1 << 30
"""Most bytes that are read of a file."""
AT_ONCE = 1 << 20
"""Bytes that are read at once from a file whose size is unknown, such as a pipe."""


def packaged(name: str) -> Path:
    """A file of data that comes with the package, by its path, such as "llmlab/lab/facts.csv".

    Write the whole path as one string: fingerprints find the files of an experiment by it.
    """
    return SOURCE / name


def read_text(path: Path, name: str = "") -> str:
    r"""Read a UTF-8 file; removes a byte-order mark and turns all line endings into `\n`.

    Args:
        name: what error messages call the file, if not by its path.

    Raises:
        LabError: the bytes are not UTF-8, there are too many, or the file cannot be read.
    """
    return decoded(read_bytes(path, name), Path(name or path))


def read_bytes(path: Path, name: str = "") -> bytes:
    """Read all of a file or pipe, unless it is endless or too large; arguments as `read_text`.

    Raises:
        LabError: it has more than a gibibyte, or cannot be read.
    """
    shown = Path(name or path)
    content = io.BytesIO()
    try:
        with path.open("rb") as file:
            while content.tell() <= LARGEST and (piece := file.read(AT_ONCE)):
                content.write(piece)
    except OSError as error:
        raise unreadable(shown, error) from error
    if content.tell() > LARGEST:
        raise _too_large(shown)
    return content.getvalue()


def read_lines(path: Path, longest: int) -> Iterator[bytes]:
    """The lines of a file or pipe, each up to `longest` bytes; errors as in `read_bytes`."""
    n_read, begins = 0, True
    try:
        with path.open("rb") as file:
            while piece := file.readline(longest):
                n_read += len(piece)
                if n_read > LARGEST:
                    raise _too_large(path)
                if begins:
                    yield piece
                begins = piece.endswith(b"\n")
    except OSError as error:
        raise unreadable(path, error) from error


def decoded(data: bytes, path: Path) -> str:
    """Decode a file's bytes as `read_text` does."""
    text = data.removeprefix(codecs.BOM_UTF8)
    try:
        return text.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        cause = f"line {line} has the byte 0x{text[error.start]:02x}"
        raise LabError(
            f"{path} is not UTF-8 text: {'it is UTF-16' if data.startswith(UTF_16) else cause}; "
            "save it as UTF-8 or give another file."
        ) from error


def write_file(path: Path, content: str | bytes) -> None:
    """Write to a temporary file and rename it to `path`, so that readers never see a partial file.

    Raises:
        LabError: the folder cannot be written to, or the disk is full; nothing is left behind.
    """
    data = content.encode() if isinstance(content, str) else content
    write_with(path, lambda aside: aside.write_bytes(data))


def write_with(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file, then rename it to `path`; errors as in `write_file`."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(aside)
        _flush(aside)
        os.replace(aside, path)
    except OSError as error:
        _discard(aside)
        raise unwritable(path, error) from error
    except BaseException:
        _discard(aside)
        raise


def write_files(contents: Mapping[Path, str | bytes]) -> None:
    """Write all files or none: each takes its name once all are on disk; errors as `write_file`."""
    asides = {path: path.with_name(f".{path.name}.{os.getpid()}") for path in contents}
    made = {folder for path in contents for folder in path.parents if not folder.exists()}
    try:
        for path, aside in asides.items():
            with _said_of(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                content = contents[path]
                aside.write_bytes(content.encode() if isinstance(content, str) else content)
                _flush(aside)
        for path, aside in asides.items():
            with _said_of(path):
                os.replace(aside, path)
    except BaseException:
        for aside in asides.values():
            _discard(aside)
        for folder in sorted(made, key=lambda folder: len(folder.parts), reverse=True):
            with suppress(OSError):  # it was not made, or another process uses it
                folder.rmdir()
        raise


@contextmanager
def _said_of(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unwritable(path, error) from error


def remove_file(path: Path) -> None:
    """Remove `path` if it exists; errors as in `write_file`."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """A folder to fill, which then takes the place of `folder`; if the block raises, none does."""
    new = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    try:
        yield new
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)


def require_writable(path: Path) -> None:
    """Check that a file can be written, before long work.

    Raises:
        LabError: it is a folder, or its own cannot be written to.
    """
    if path.is_dir():
        raise LabError(f"{path} is a folder: name a file to write.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise unwritable(path, error) from error


def require_empty(folder: Path) -> None:
    """Check that a folder to write is new or empty.

    Raises:
        LabError: it is a file, or holds something.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise LabError(f"{folder} exists already: name a new or empty folder with --out.")


def _too_large(path: Path) -> LabError:
    return LabError(f"{path} is larger than a gibibyte, or has no end; give a shorter part of it.")


def unreadable(path: Path, error: OSError) -> LabError:
    """The error for a file that is missing or not readable."""
    cause = error.strerror or str(error)
    return LabError(f"cannot read {path}: {cause}; give a file that exists and is readable.")


def unwritable(path: Path, error: OSError) -> LabError:
    """The error for a full disk or a folder that is not writable."""
    cause = error.strerror or str(error)
    return LabError(
        f"cannot write {path}: {cause}; free some space, make the folder writable or name another "
        "path, then repeat the command."
    )


def is_aside(name: str) -> bool:
    """Whether a name is that of a temporary file, left by a process that was killed."""
    return re.fullmatch(r"\..+\.\d+", name) is not None


def asides(_folder: str, names: list[str]) -> set[str]:
    """The temporary files among names, for the argument `ignore` of `shutil.copytree`."""
    return {name for name in names if is_aside(name)}


def remove_asides(folder: Path) -> None:
    """Remove the temporary files below a folder that no process writes to."""
    for path in folder.rglob(".*"):
        if is_aside(path.name):
            _discard(path)


def flush_folder(folder: Path) -> None:
    """Flush every file below a folder to disk."""
    for path in folder.rglob("*"):
        if path.is_file():
            _flush(path)


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _discard(aside: Path) -> None:
    try:
        aside.unlink(missing_ok=True)
    except OSError:  # its folder never existed
        return
