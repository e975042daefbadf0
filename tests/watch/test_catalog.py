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
    assert catalog.runs() == {"runs/a": one, "build/results/laptop/lora_rank": deep}


def test_a_root_may_be_a_run_itself(tmp_path: Path) -> None:
    folder = made(tmp_path / "a")
    assert Catalog((folder,), tmp_path).runs() == {"a": folder}


def test_roots_that_are_not_there_hold_nothing(tmp_path: Path) -> None:
    assert Catalog((tmp_path / "none",), tmp_path).runs() == {}


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
