import subprocess
import sys
from pathlib import Path

import pytest

from llmlab.method.errors import LabError
from llmlab.runs.folder import RunFolder, default_folder, first_free

HOLD = """
import sys, time
from pathlib import Path
from llmlab.runs.folder import RunFolder
with RunFolder(Path(sys.argv[1])).held():
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_folder_has_one_writer_until_that_is_killed(folder: RunFolder) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder.path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(LabError, match=r"another process is writing to .*micro: wait until"):
        folder.held().__enter__()
    holder.kill()
    holder.communicate()
    with folder.held():
        assert folder.is_empty


def test_two_writers_of_one_process_are_refused_too(folder: RunFolder) -> None:
    with folder.held(), pytest.raises(LabError, match="another process"):
        folder.held().__enter__()


def test_nothing_is_left_where_nothing_was_written(folder: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no data"), folder.held():
        raise ValueError("no data")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_there_stays(folder: RunFolder) -> None:
    folder.path.mkdir(parents=True)
    with folder.held():
        pass
    assert list(folder.path.iterdir()) == []


def test_a_folder_with_anything_in_it_is_taken(folder: RunFolder) -> None:
    with folder.held():
        folder.require_empty()
        folder.log.start({"seed": 0})
    with folder.held(), pytest.raises(LabError, match=r"micro already holds a run or other files"):
        folder.require_empty()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LabError, match=r"cannot write .*file/run: Not a directory"):
        RunFolder(tmp_path / "file" / "run").held().__enter__()


def test_two_seeds_go_into_two_folders() -> None:
    assert default_folder("micro", "stdlib", seed=3) == Path("runs/micro-stdlib-seed3")


def test_the_first_number_that_is_free(tmp_path: Path) -> None:
    for name in ("run", "run-2"):
        assert first_free(tmp_path / "run") == tmp_path / name
        (tmp_path / name).mkdir()
