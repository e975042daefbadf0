from pathlib import Path

import pytest

from llmlab.method.errors import LabError
from llmlab.method.files import remove_file, write_file, write_with


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


def test_a_file_is_removed_once_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LabError, match="cannot write"):
        remove_file(tmp_path / "file" / "below.txt")
    for _ in range(2):
        remove_file(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []
