"""Corpora: texts to train on, by name or by path, checked before they are used.

A text is read in pieces, so a corpus may be larger than memory.
"""

import codecs
import hashlib
import os
import sysconfig
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, chain, takewhile
from pathlib import Path
from typing import BinaryIO

import pooch

from llmlab.method.declare.catalog import suggestion
from llmlab.method.environment import CACHE_DIR, DATA_DIR
from llmlab.method.errors import LabError
from llmlab.method.files import UTF_16

PIECE = 1 << 16
"""Bytes that are read at once."""

BINARY_HEAD = 8000
"""First bytes of a file that show whether it is binary; git reads as many."""


@dataclass(frozen=True)
class Corpus:
    """A named corpus.

    Attributes:
        file: its name in the cache and in the folder of `DATA_DIR`.
        url, sha256, bytes: of the download; None where the text is on every machine.
    """

    name: str
    description: str
    licence: str
    file: str | None = None
    url: str | None = None
    sha256: str | None = None
    bytes: int | None = None


STDLIB = Corpus(
    name="stdlib",
    description="source text of the running Python's standard library, about 10 MB",
    licence="Python Software Foundation License",
)
VERDICT = Corpus(
    name="verdict",
    description="The Verdict, a short story by Edith Wharton (1908)",
    licence="public domain",
    file="the-verdict.txt",
    url="https://raw.githubusercontent.com/rasbt/LLMs-from-scratch/main/"
    "ch02/01_main-chapter-code/the-verdict.txt",
    sha256="b41e41a68f0398a3154ae69e2e4c0e2694e17fe0d66730536837f1b01935b31f",
    bytes=20_479,
)
TINYSHAKESPEARE = Corpus(
    name="tinyshakespeare",
    description="40,000 lines from the plays of Shakespeare, as char-rnn has them",
    licence="public domain",
    file="tinyshakespeare.txt",
    url="https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
    sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    bytes=1_115_394,
)
CORPORA = {corpus.name: corpus for corpus in (STDLIB, VERDICT, TINYSHAKESPEARE)}


@dataclass(frozen=True)
class Document:
    """The first `bytes` bytes of a text file, read once: known to be UTF-8, with their SHA-256."""

    name: str
    path: Path
    bytes: int
    sha256: str

    def pieces(self) -> Iterator[str]:
        """The text in pieces that end where a line ends, or, in a very long line, anywhere."""
        decode = codecs.getincrementaldecoder("utf-8")().decode
        rest, left = "", self.bytes
        for data in _blocks(self.path, self.bytes):
            left -= len(data)
            text = rest + decode(data)
            end = (left and text.rfind("\n") + 1) or len(text)
            yield text[:end]
            rest = text[end:]


@dataclass(frozen=True)
class CorpusText:
    """The text of a corpus: documents, in an order drawn from their names."""

    name: str
    documents: tuple[Document, ...]

    @cached_property
    def bytes(self) -> int:
        """Length of the text in UTF-8."""
        return sum(document.bytes for document in self.documents)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the names and contents of the documents, in hexadecimal digits."""
        lines = (f"{document.sha256} {document.name}\n" for document in self.documents)
        return hashlib.sha256(_name_bytes("".join(lines))).hexdigest()

    def texts(self) -> Iterator[str]:
        """The text in pieces; a document of up to `PIECE` bytes is one piece."""
        return chain.from_iterable(document.pieces() for document in self.documents)

    def head(self, n_bytes: int) -> "CorpusText":
        """The first documents that fit into `n_bytes`, whole; lines of a first one too long.

        Raises:
            LabError: not even a line fits.
        """
        totals = accumulate(document.bytes for document in self.documents)
        n_documents = sum(1 for _ in takewhile(lambda total: total <= n_bytes, totals))
        if n_documents:
            return replace(self, documents=self.documents[:n_documents])
        first = self.documents[0]
        n_fitting = _bytes_of_lines(first.path, n_bytes)
        if not n_fitting:
            raise LabError(f"no line of {first.name} fits into {n_bytes} bytes: keep more of it.")
        return replace(self, documents=(_document(first.name, first.path, n_fitting),))


def open_corpus(name_or_path: str | Path) -> CorpusText:
    """A named corpus, or the text in a file or folder, read once to check it.

    From a folder, all regular files are taken, also from subfolders and linked folders, except
    hidden ones. A byte-order mark at the start of a file is no part of its text. The order of
    several documents is drawn from their names, so that the first megabytes, or the last tenth,
    are a fair sample of the whole.

    "stdlib" leaves out tests, installed packages and generated tables (encodings, topics of the
    help). Its text differs between versions of Python, so its digest does too; some systems
    install parts of it separately (tkinter, idlelib).

    Raises:
        LabError: no such name or path; a download fails or its checksum differs; a file is
            empty, not UTF-8, not a regular file, or cannot be read.
    """
    corpus = CORPORA.get(str(name_or_path))
    if corpus is STDLIB:
        return _collect(STDLIB.name, _stdlib_files())
    if corpus:
        return _collect(corpus.name, {corpus.file: _fetch(corpus)})
    path = Path(name_or_path)
    if path.is_dir():
        return _collect(path.resolve().name, _visible_files(path))
    if path.is_file():
        return _collect(path.name, {path.name: path})
    if path.exists():
        raise LabError(f"{path} is not a regular file: name a text, or a folder of texts.")
    names = ", ".join(CORPORA)
    raise LabError(
        f'there is no corpus "{name_or_path}"{suggestion(str(name_or_path), CORPORA)} and no such '
        f"file or folder: name one of {names}, or the path of a text."
    )


def open_texts(name_or_path: str | Path) -> CorpusText:
    """As `open_corpus`, but of a folder the files that are not binary."""
    path = Path(name_or_path)
    if str(name_or_path) in CORPORA or not path.is_dir():
        return open_corpus(name_or_path)
    files = {name: file for name, file in _visible_files(path).items() if not _is_binary(file)}
    return _collect(path.resolve().name, files)


def left_out(folder: Path, corpus: CorpusText) -> dict[str, str]:
    """Visible entries below `folder` that gave `corpus` no text: the reason, by path."""
    read = {document.path.resolve() for document in corpus.documents}
    found: dict[str, str] = {}

    def note(path: Path, why: str) -> None:
        found[path.relative_to(folder).as_posix()] = why

    def note_error(error: OSError) -> None:
        note(Path(error.filename), error.strerror)

    starts, entered = deque([folder]), set()
    while starts:
        for parent, folders, names in os.walk(starts.popleft(), onerror=note_error):
            if (real := Path(parent).resolve()) in entered:
                folders.clear()
                continue
            entered.add(real)
            folders[:] = [name for name in folders if name[0] != "."]
            starts += (path for name in folders if (path := Path(parent, name)).is_symlink())
            for path in (Path(parent, name) for name in names if name[0] != "."):
                if path.resolve() not in read:
                    note(path, _why_left_out(path))
    return found


def _why_left_out(path: Path) -> str:
    if not path.is_file():
        return "not a regular file"
    return f"binary, {path.stat().st_size:,} bytes" if _is_binary(path) else "empty"


def _is_binary(path: Path) -> bool:
    """Whether a file holds a zero byte, as git tells, and is no text in UTF-16.

    One that cannot be read is not, so that reading it tells why.
    """
    try:
        with path.open("rb") as file:
            head = file.read(BINARY_HEAD)
    except OSError:
        return False
    return b"\0" in head and not head.startswith(UTF_16)


def cache_folder() -> Path:
    """Where downloads and tokens are kept: `CACHE_DIR`, else the user's cache."""
    return Path(os.environ.get(CACHE_DIR) or pooch.os_cache("llmlab"))


def _fetch(corpus: Corpus) -> Path:
    """The file of `corpus`: from the folder of `DATA_DIR`, the cache, or its URL."""
    local = Path(os.environ.get(DATA_DIR, "")) / corpus.file
    if os.environ.get(DATA_DIR) and local.is_file():
        if pooch.file_hash(str(local)) != corpus.sha256:
            raise LabError(
                f"{local} is not the text of {corpus.name} (its SHA-256 differs): replace it, or "
                "move it away so that the text is downloaded."
            )
        return local
    folder = cache_folder()
    try:
        return Path(
            pooch.retrieve(corpus.url, f"sha256:{corpus.sha256}", fname=corpus.file, path=folder)
        )
    except OSError as error:  # network errors included
        raise LabError(
            f"cannot download {corpus.name} into {folder} ({type(error).__name__}): place the "
            f"text of {corpus.url} as {corpus.file} into a folder and name that in {DATA_DIR}."
        ) from error
    except ValueError as error:
        raise LabError(
            f"the download of {corpus.name} is not the expected text (its SHA-256 differs): try "
            f"later, or place {corpus.file} into a folder and name that in {DATA_DIR}."
        ) from error


NO_SOURCE = {
    *("test", "tests", "idle_test", "__phello__"),  # tests
    *("site-packages", "dist-packages", "lib-dynload"),  # not of the library
    *("encodings", "pydoc_data"),  # tables
}
MADE_BY_THE_INSTALLATION = ("_sysconfigdata", "config-", "sitecustomize", "usercustomize")


def _stdlib_files() -> dict[str, Path]:
    def is_source(name: str) -> bool:
        return name not in NO_SOURCE and not name.startswith(MADE_BY_THE_INSTALLATION)

    files = _files_below(Path(sysconfig.get_path("stdlib")), is_source)
    return {name: path for name, path in files.items() if path.suffix == ".py"}


def _visible_files(folder: Path) -> dict[str, Path]:
    return _files_below(folder, lambda name: not name.startswith("."), linked=True)


def _files_below(
    folder: Path, is_wanted: Callable[[str], bool], *, linked: bool = False
) -> dict[str, Path]:
    """Regular files by their names relative to `folder`, in the folders that are wanted.

    Args:
        linked: whether to enter linked folders. Each folder is entered once, and by its own path
            where it has one below `folder`.
    """
    files: dict[str, Path] = {}
    seen: set[tuple[int, int]] = set()
    starts = deque([folder])
    while starts:
        for parent, folders, names in os.walk(starts.popleft()):
            if (identity := _identity(Path(parent))) in seen:
                folders.clear()
                continue
            seen.add(identity)
            folders[:] = filter(is_wanted, folders)
            if linked:
                below = (Path(parent, name) for name in sorted(folders))
                starts += (path for path in below if path.is_symlink())
            for path in (Path(parent, name) for name in names if is_wanted(name)):
                if (
                    path.is_file() or not path.exists()
                ):  # a dangling link is reported when it is read
                    files[path.relative_to(folder).as_posix()] = path
    return files


def _identity(folder: Path) -> tuple[int, int]:
    found = folder.stat()
    return found.st_dev, found.st_ino


def _collect(name: str, files: dict[str, Path]) -> CorpusText:
    """The corpus of these files; empty ones are left out."""
    ordered = sorted(files, key=lambda file: hashlib.sha256(_name_bytes(file)).digest())
    documents = (_document(file, files[file]) for file in ordered)
    corpus = CorpusText(name, tuple(document for document in documents if document.bytes))
    if not corpus.documents:
        raise LabError(f'the corpus "{name}" is empty: name a file or folder with some text.')
    return corpus


def _name_bytes(name: str) -> bytes:
    """A file's name as stored on disk, which need not be UTF-8."""
    return name.encode("utf-8", "surrogateescape")


def _document(name: str, path: Path, n_bytes: int | None = None) -> Document:
    """The document of the first `n_bytes` of `path`, or of all, read to check it."""
    decode = codecs.getincrementaldecoder("utf-8")().decode
    digest = hashlib.sha256()
    length = 0
    try:
        for data in _blocks(path, n_bytes):
            if "\0" in decode(data):
                raise _not_text(path)
            digest.update(data)
            length += len(data)
        decode(b"", final=True)
    except UnicodeDecodeError:
        raise _not_text(path) from None
    except OSError as error:
        raise LabError(f"cannot read {path}: {error.strerror}; fix it or leave it out.") from error
    return Document(name, path, length, digest.hexdigest())


def _not_text(path: Path) -> LabError:
    return LabError(f"{path} is not text in UTF-8: convert it, or leave it out.")


def _blocks(path: Path, n_bytes: int | None) -> Iterator[bytes]:
    """The first `n_bytes` of the text in `path`, or all, in blocks of `PIECE` bytes."""
    left = path.stat().st_size if n_bytes is None else n_bytes
    with _opened(path) as file:
        while left and (data := file.read(min(left, PIECE))):
            yield data
            left -= len(data)


def _bytes_of_lines(path: Path, n_bytes: int) -> int:
    """Bytes of the first lines of the text in `path` that fit into `n_bytes`."""
    with _opened(path) as file:
        totals = takewhile(lambda total: total <= n_bytes, accumulate(map(len, file)))
        return max(totals, default=0)


def _opened(path: Path) -> BinaryIO:
    """The file at the beginning of its text, after a byte-order mark if there is one."""
    file = path.open("rb")
    if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
        file.seek(0)
    return file
