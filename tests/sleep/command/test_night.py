"""`llmlab sleep train`: what it refuses before anything is lost."""

from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from sleep_episodes import EPISODE

from llmlab.method.errors import LabError
from llmlab.method.locks import beside
from llmlab.sleep.repair.episodes import EpisodeFile


@pytest.fixture
def episodes(tmp_path: Path) -> Path:
    file = EpisodeFile(tmp_path / "day.jsonl")
    file.append(EPISODE)
    return file.path


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--learning-rate", "0"], "learns nothing"),
        (["--method", "routng"], "did you mean 'routing'"),
        (["--base", "hf:org/model"], "'hf:org/model' holds no coder"),
    ],
)
def test_a_night_that_cannot_be_is_told_before_it_begins(
    sleep: Callable[..., None],
    options: list[str],
    why: str,
    coder: Path,
    episodes: Path,
    tmp_path: Path,
) -> None:
    with pytest.raises(LabError, match=why):
        sleep("train", episodes, "--base", coder, "--out", tmp_path / "new", *options)
    assert not (tmp_path / "new").exists()


def test_a_file_is_no_folder_for_a_coder(
    sleep: Callable[..., None], coder: Path, episodes: Path
) -> None:
    with pytest.raises(LabError, match="exists already: name a new"):
        sleep("train", episodes, "--base", coder, "--out", episodes)


def test_a_day_without_episodes_is_told(
    sleep: Callable[..., None], coder: Path, tmp_path: Path
) -> None:
    (tmp_path / "none.jsonl").touch()
    with pytest.raises(LabError, match="holds no episode"):
        sleep("train", tmp_path / "none.jsonl", "--base", coder, "--out", tmp_path / "new")


def test_two_nights_into_one_folder_are_refused(
    sleep: Callable[..., None], coder: Path, episodes: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new"
    with FileLock(beside(out)), pytest.raises(LabError, match=r"another process is making .*new: "):
        sleep("train", episodes, "--base", coder, "--out", out)
    assert not out.exists()
