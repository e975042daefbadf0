import errno
import os
from pathlib import Path

import pytest

from llmlab.method.errors import LabError
from llmlab.watch.catalog import Catalog, checkpoints


def made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "log.jsonl").write_text('{"event": "run"}\n')
    return folder


def test_every_folder_with_a_log_is_a_run_named_from_the_base(tmp_path: Path) -> None:
    one, deep = made(tmp_path / "runs" / "a"), made(tmp_path / "build/results/laptop/lora_rank")
    (tmp_path / "runs" / "empty").mkdir()
    catalog = Catalog((tmp_path / "runs", tmp_path / "build/results"), tmp_path)
    assert catalog.search().runs == {"runs/a": one, "build/results/laptop/lora_rank": deep}


def test_a_root_may_be_a_run_itself(tmp_path: Path) -> None:
    folder = made(tmp_path / "a")
    assert Catalog((folder,), tmp_path).search().runs == {"a": folder}


def test_roots_that_are_not_there_hold_nothing_and_a_note_says_so(tmp_path: Path) -> None:
    found = Catalog((tmp_path / "none", tmp_path / "other"), tmp_path).search()
    (note,) = found.notes
    assert found.runs == {}
    assert note.startswith(f"There is no run in {tmp_path}/none or {tmp_path}/other: ")
    assert "log.jsonl" in note


def test_what_cannot_be_read_is_named_and_hides_no_other_run(tmp_path: Path, monkeypatch) -> None:
    """As a user who is not root finds it; root reads everything."""
    readable, locked, secret = (made(tmp_path / name) for name in ("readable", "locked", "secret"))
    lstat, access = Path.lstat, os.access

    def refuse(path: Path) -> os.stat_result:
        if locked in path.parents:
            raise PermissionError(errno.EACCES, "Permission denied")
        return lstat(path)

    monkeypatch.setattr(Path, "lstat", refuse)
    monkeypatch.setattr(
        os, "access", lambda path, mode: secret not in path.parents and access(path, mode)
    )
    found = Catalog((tmp_path,), tmp_path).search()
    assert found.runs == {"readable": readable}
    (note,) = found.notes
    assert str(locked) in note
    assert str(secret) in note
    assert note.endswith(": Permission denied. Make them readable.")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../secret", "runs/a/../../secret", "/etc", "runs/a/", "link", "runs/b"]
)
def test_no_name_leads_outside(tmp_path: Path, name: str) -> None:
    made(tmp_path / "runs" / "a")
    secret = made(tmp_path / "secret")
    (tmp_path / "runs" / "link").symlink_to(secret)
    (tmp_path / "runs" / "b").mkdir()
    (tmp_path / "runs" / "b" / "log.jsonl").symlink_to(secret / "log.jsonl")
    with pytest.raises(LabError, match="no run has that name"):
        Catalog((tmp_path / "runs",), tmp_path).folder(name)


def test_checkpoints_are_listed_from_the_oldest_on(tmp_path: Path) -> None:
    for step in (20, 3):
        (tmp_path / "checkpoints" / f"step-{step:08d}").mkdir(parents=True)
    assert checkpoints(tmp_path) == ["step-00000003", "step-00000020"]
