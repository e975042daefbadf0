"""A folder of kept files by content: equal ones once, nothing halfway, nothing that was changed."""

from pathlib import Path

import pytest

from llmlab.method.errors import LabError
from llmlab.method.running import kept


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "kept"


def file(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_equal_files_are_written_once_and_come_back_by_their_sha256(
    folder: Path, tmp_path: Path
) -> None:
    files = [file(tmp_path, name, content) for name, content in (("a", b"1"), ("b", b"1"))]
    (written,) = kept.put(folder, files)
    assert kept.get(folder, written.name) == b"1"
    assert kept.put(folder, files) == []
    assert len(kept.put(folder, [file(tmp_path, "c", b"2")])) == 1
    assert len(list(folder.iterdir())) == 2


def test_what_is_not_there_is_none(folder: Path) -> None:
    assert kept.get(folder, kept.sha256_of(b"1")) is None


def test_a_file_that_was_changed_is_refused_and_written_again(folder: Path, tmp_path: Path) -> None:
    weights = file(tmp_path, "a", b"weights")
    (written,) = kept.put(folder, [weights])
    written.write_bytes(b"weight")
    with pytest.raises(LabError, match=rf"{written} was cut short or edited .*; copy it again"):
        kept.get(folder, written.name)
    assert kept.put(folder, [weights]) == [written]
    assert kept.get(folder, written.name) == b"weights"


def test_a_write_that_is_interrupted_leaves_nothing_of_that_name(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(path: Path, data: bytes) -> None:
        path.open("wb").write(data[:3])
        raise KeyboardInterrupt

    weights = file(tmp_path, "a", b"weights")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", interrupted)
        with pytest.raises(KeyboardInterrupt):
            kept.put(folder, [weights])
    assert list(folder.iterdir()) == []
    (written,) = kept.put(folder, [weights])
    assert kept.get(folder, written.name) == b"weights"
