import errno
from pathlib import Path

import pytest

from llmlab.method import files
from llmlab.method.errors import LabError
from llmlab.method.files import read_text, remove_file, write_file, write_files, write_with


def test_folders_are_made_and_the_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.txt"
    write_file(path, "old")
    write_file(path, "new")
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_stops_half_way_leaves_the_old_file_alone(
    tmp_path: Path, error: BaseException
) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")

    def stop_half_way(aside: Path) -> None:
        aside.write_text("ne")
        raise error

    with pytest.raises((LabError, KeyboardInterrupt)):
        write_with(path, stop_half_way)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_to_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "below.txt"
    with pytest.raises(LabError, match=rf"cannot write {path}: .*make the folder writable"):
        write_file(path, "")


def test_a_file_of_the_largest_size_is_read_and_none_beyond(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(files, "LARGEST", files.AT_ONCE + 3)
    path = tmp_path / "log.csv"
    path.write_text("1" * files.LARGEST)
    assert len(read_text(path)) == files.LARGEST
    path.write_text("1" * (files.LARGEST + 1))
    for too_large in (path, Path("/dev/zero")):
        with pytest.raises(
            LabError, match=rf"{too_large} is larger than a gibibyte, or has no end"
        ):
            read_text(too_large)


def test_a_file_is_removed_once_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LabError, match="cannot write"):
        remove_file(tmp_path / "file" / "below.txt")
    for _ in range(2):
        remove_file(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "marked.csv"
    path.write_bytes(b"\xef\xbb\xbfstep,loss\r\n0,3\r1,2\n")
    assert read_text(path) == "step,loss\n0,3\n1,2\n"


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"caf\xe9", "line 1 has the byte 0xe9"),
        (b"\xef\xbb\xbftea\ncaf\xe9", "line 2 has the byte 0xe9"),
        ("loss".encode("utf-16"), "it is UTF-16"),
        (b"cut \xe2\x82", "line 1 has the byte 0xe2"),
    ],
)
def test_bytes_that_are_no_utf_8_are_named_with_their_place(
    tmp_path: Path, content: bytes, cause: str
) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(LabError, match=rf"notes.txt is not UTF-8 text: {cause}; save it as"):
        read_text(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"cannot read .*gone.txt: No such file"):
        read_text(tmp_path / "gone.txt")
    with pytest.raises(LabError, match="cannot read the notes: No such file"):
        read_text(tmp_path / "gone.txt", "the notes")


def test_several_files_are_written_all_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(path: Path, data: bytes) -> int:
        if path.name.startswith(".last"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_bytes(path, data)

    old, new, last = tmp_path / "old", tmp_path / "new" / "deep" / "file", tmp_path / "last"
    old.write_text("before")
    contents = {old: "after", new: b"new", last: "last"}
    write_bytes = Path.write_bytes
    with monkeypatch.context() as full:
        full.setattr(Path, "write_bytes", write)
        with pytest.raises(LabError, match=r"cannot write .*last: No space left"):
            write_files(contents)
    assert {path.name for path in tmp_path.rglob("*")} == {"old"}
    assert old.read_text() == "before"
    write_files(contents)
    assert [path.read_text() for path in contents] == ["after", "new", "last"]
