import codecs
import errno
import hashlib
import os
import sysconfig
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmlab.gpt.text import corpora
from llmlab.gpt.text.corpora import (
    CORPORA,
    VERDICT,
    CorpusText,
    cache_folder,
    left_out,
    open_corpus,
    open_texts,
)
from llmlab.method.environment import CACHE_DIR, DATA_DIR
from llmlab.method.errors import LabError

STORY = b"I had always thought Jack Gisburn rather a cheap genius.\n"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, no local folder, and no proxy between the test and its own server."""
    monkeypatch.setenv(CACHE_DIR, str(tmp_path / "cache"))
    monkeypatch.delenv(DATA_DIR, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "cache"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Serves the folder `served`; gives its address."""
    (tmp_path / "served").mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path / "served")
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.01]).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def story(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that "verdict" is downloaded from in this test."""
    served = tmp_path / "served" / "story.txt"
    served.write_bytes(STORY)
    corpus = replace(
        VERDICT,
        url=f"{server}/story.txt",
        sha256=hashlib.sha256(STORY).hexdigest(),
        bytes=len(STORY),
    )
    monkeypatch.setitem(CORPORA, "verdict", corpus)
    return served


def text_of(corpus: CorpusText) -> str:
    return "".join(corpus.texts())


def test_a_download_is_verified_and_kept(story: Path, cache: Path) -> None:
    assert text_of(open_corpus("verdict")).encode() == STORY
    assert (cache / "the-verdict.txt").read_bytes() == STORY
    story.unlink()
    assert open_corpus("verdict").bytes == len(STORY)


def test_a_damaged_file_in_the_cache_is_downloaded_again(story: Path, cache: Path) -> None:
    open_corpus("verdict")
    (cache / "the-verdict.txt").write_bytes(STORY[:10])
    assert text_of(open_corpus("verdict")).encode() == STORY


def test_a_download_with_another_checksum_is_refused(story: Path, cache: Path) -> None:
    story.write_bytes(b"<html>not found</html>")
    with pytest.raises(LabError, match="download of verdict is not the expected text"):
        open_corpus("verdict")
    assert list(cache.iterdir()) == []


def test_where_nothing_can_be_downloaded_it_is_said_which_file_to_place(story: Path) -> None:
    story.unlink()
    with pytest.raises(LabError, match=r"HTTPError.*the-verdict\.txt into a folder.*_DATA_DIR"):
        open_corpus("verdict")


def test_a_local_file_is_taken_first(
    story: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.unlink()
    (tmp_path / "the-verdict.txt").write_bytes(STORY)
    monkeypatch.setenv(DATA_DIR, str(tmp_path))
    assert text_of(open_corpus("verdict")).encode() == STORY


def test_a_local_file_with_another_checksum_is_refused(
    story: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "the-verdict.txt").write_text("another story")
    monkeypatch.setenv(DATA_DIR, str(tmp_path))
    with pytest.raises(LabError, match=r"the-verdict\.txt is not the text of verdict"):
        open_corpus("verdict")


def test_without_a_local_file_the_text_is_downloaded(
    story: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATA_DIR, str(tmp_path))
    assert text_of(open_corpus("verdict")).encode() == STORY


def test_the_cache_is_the_users_where_no_other_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CACHE_DIR)
    assert "llmlab" in cache_folder().parts


def test_every_corpus_says_what_it_is() -> None:
    for name, corpus in CORPORA.items():
        assert corpus.name == name
        assert corpus.description
        assert corpus.licence
        assert (corpus.url is None) == (corpus.sha256 is None) == (corpus.bytes is None)


def test_the_standard_library_is_python_source_without_tests() -> None:
    corpus = open_corpus("stdlib")
    names = {document.name for document in corpus.documents}
    assert {"ast.py", "json/decoder.py", "unittest/case.py"} <= names
    assert not {"test", "tests", "site-packages"} & {part for n in names for part in n.split("/")}
    assert 5e6 < corpus.bytes < 3e7
    ast = Path(sysconfig.get_path("stdlib"), "ast.py").read_bytes().decode()
    assert any(text == ast for text in corpus.texts())


def test_the_standard_library_is_the_same_at_each_call() -> None:
    assert open_corpus("stdlib") == open_corpus("stdlib")


def test_a_folder_is_read_whole_but_for_hidden_files(tmp_path: Path) -> None:
    texts = {"a.txt": "alpha\n", "b/c.md": "gamma\n", ".git/d": "hidden", "empty.txt": ""}
    for name, text in texts.items():
        path = tmp_path / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    corpus = open_corpus(tmp_path / "folder")
    assert corpus.name == "folder"
    assert sorted(corpus.texts()) == ["alpha\n", "gamma\n"]
    assert corpus.bytes == 12


def test_a_linked_folder_is_read_once(tmp_path: Path) -> None:
    corpus, other = tmp_path / "corpus", tmp_path / "other"
    (corpus / "a").mkdir(parents=True)
    other.mkdir()
    (corpus / "a" / "own.txt").write_text("own\n")
    (other / "linked.txt").write_text("linked\n")
    (corpus / "0-again").symlink_to(corpus / "a")
    (corpus / "a" / "loop").symlink_to(corpus)
    for name in ("b", "c"):
        (corpus / name).symlink_to(other)
    names = {document.name for document in open_corpus(corpus).documents}
    assert names == {"a/own.txt", "b/linked.txt"}
    (other / "empty.txt").touch()
    assert left_out(corpus, open_corpus(corpus)) == {"b/empty.txt": "empty"}


def test_what_is_no_text_is_left_out_for_a_reason(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "text.txt").write_text("text\n")
    (tmp_path / ".hidden").mkdir()
    os.mkfifo(tmp_path / ".hidden" / "pipe")
    (tmp_path / "null").symlink_to("/dev/null")
    (tmp_path / "locked").mkdir()
    scan = os.scandir

    def refused(path: str) -> Iterator[os.DirEntry]:  # root may read every folder
        if path.endswith("locked"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refused)
    assert left_out(tmp_path, open_corpus(tmp_path)) == {
        "null": "not a regular file",
        "locked": "Permission denied",
    }


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("text\n")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to("/dev/null")
    assert [document.name for document in open_corpus(tmp_path).documents] == ["text.txt"]
    with pytest.raises(LabError, match="pipe is not a regular file: name a text"):
        open_corpus(tmp_path / "pipe")
    (tmp_path / "gone").symlink_to("nowhere")
    with pytest.raises(LabError, match=r"cannot read .*gone: No such file"):
        open_corpus(tmp_path)


def test_a_name_that_is_no_utf_8_is_a_name(tmp_path: Path) -> None:
    for name, text in {b"caf\xe9": "one\n", b"caf\xe8": "two\n"}.items():
        Path(os.fsdecode(bytes(tmp_path) + b"/" + name)).write_text(text)
    corpus = open_corpus(tmp_path)
    assert sorted(corpus.texts()) == ["one\n", "two\n"]
    assert corpus.digest == open_corpus(tmp_path).digest


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    plain, marked = tmp_path / "plain", tmp_path / "marked"
    for folder, mark in ((plain, b""), (marked, codecs.BOM_UTF8)):
        folder.mkdir()
        (folder / "a.txt").write_bytes(mark + "é\nb\n".encode())
    assert open_corpus(marked).documents[0].sha256 == open_corpus(plain).documents[0].sha256
    assert text_of(open_corpus(marked)) == "é\nb\n"
    assert text_of(open_corpus(marked).head(4)) == "é\n"
    (tmp_path / "short").write_text("a")
    assert text_of(open_corpus(tmp_path / "short")) == "a"


def test_the_digest_knows_names_and_contents(tmp_path: Path) -> None:
    def digest(name: str, text: str) -> str:
        path = tmp_path / name
        path.write_text(text)
        return open_corpus(path).digest

    assert digest("a", "text") == digest("a", "text")
    assert len({digest("a", "text"), digest("b", "text"), digest("a", "texts")}) == 3


@given(
    lines=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"))),
    piece=st.integers(1, 40),
)
def test_pieces_join_to_the_text(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], piece: int
) -> None:
    text = "\n".join(["first", *lines])
    path = tmp_path_factory.getbasetemp() / "pieces.txt"
    path.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpora, "PIECE", piece)
        assert text_of(open_corpus(path)) == text


def test_a_long_text_comes_in_pieces_that_end_with_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpora, "PIECE", 10)
    path = tmp_path / "long.txt"
    path.write_text("four\nlines\nof\ntext")
    assert list(open_corpus(path).texts()) == ["four\n", "lines\nof\ntext"]


@pytest.fixture
def three(tmp_path: Path) -> CorpusText:
    for name in "abc":
        (tmp_path / "three").mkdir(exist_ok=True)
        (tmp_path / "three" / name).write_text(f"{name}\n" * 50)
    return open_corpus(tmp_path / "three")


def test_the_head_is_whole_documents(three: CorpusText) -> None:
    assert three.head(100).documents == three.documents[:1]
    assert three.head(299).documents == three.documents[:2]
    assert three.head(300) == three.head(10**9) == three
    assert three.head(299).digest != three.digest


def test_the_head_of_a_long_document_is_whole_lines(three: CorpusText) -> None:
    head = three.head(33)
    assert head.bytes == 32
    assert text_of(head) == next(three.texts())[:32]


def test_a_head_without_a_line_is_refused(three: CorpusText) -> None:
    with pytest.raises(LabError, match=r"no line of . fits into 1 bytes"):
        three.head(1)


def test_the_nearest_name_is_suggested() -> None:
    with pytest.raises(LabError, match=r"tinyshakespear\".*did you mean .tinyshakespeare."):
        open_corpus("tinyshakespear")


def test_a_path_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"no corpus .*absent\.txt.* no such file or folder"):
        open_corpus(tmp_path / "absent.txt")


@pytest.mark.parametrize("content", [None, ""], ids=["no file", "an empty file"])
def test_an_empty_corpus_is_refused(tmp_path: Path, content: str | None) -> None:
    folder = tmp_path / "nothing"
    folder.mkdir()
    if content is not None:
        (folder / "empty.txt").write_text(content)
    with pytest.raises(LabError, match='the corpus "nothing" is empty'):
        open_corpus(folder)


@pytest.mark.parametrize("content", [b"\x89PNG\r\n", b"a\0b", b"caf\xe9", b"caf\xc3"])
def test_a_binary_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "picture.png").write_bytes(content)
    with pytest.raises(LabError, match=r"picture\.png is not text in UTF-8"):
        open_corpus(tmp_path / "picture.png")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "link.txt").symlink_to(tmp_path / "gone.txt")
    with pytest.raises(LabError, match=r"cannot read .*link\.txt: No such file"):
        open_corpus(tmp_path)


def test_binaries_beside_texts_are_left_out_with_their_sizes(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("text\n")
    (tmp_path / "Thumbs.db").write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(504))
    (tmp_path / "cover.jpg").write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00")
    corpus = open_texts(tmp_path)
    assert text_of(corpus) == "text\n"
    assert left_out(tmp_path, corpus) == {
        "Thumbs.db": "binary, 512 bytes",
        "cover.jpg": "binary, 11 bytes",
    }


@pytest.mark.parametrize("content", ["café\n".encode("latin-1"), "text\n".encode("utf-16")])
def test_a_text_in_another_encoding_is_refused_not_left_out(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "text.txt").write_text("text\n")
    (tmp_path / "other.txt").write_bytes(content)
    with pytest.raises(LabError, match=r"other.txt is not text in UTF-8: convert it"):
        open_texts(tmp_path)
