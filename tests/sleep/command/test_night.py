"""`llmlab sleep train`: what it refuses before anything is lost."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from sleep_episodes import EPISODE

from llmlab.method.errors import LabError
from llmlab.method.locks import beside
from llmlab.sleep.command.options import ClientOptions, open_client
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


def test_the_command_for_another_day_can_be_pasted(
    sleep: Callable[..., None],
    coder: Path,
    episodes: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    after = tmp_path / "my coder"
    sleep("train", episodes, "--base", coder, "--out", after, "--steps", 1, "--method", "naive")
    *_, last = capsys.readouterr().out.splitlines()
    known = ["--generated", "200", "--language", "python"]
    pasted = shlex.split(last.partition(": ")[2])
    assert pasted == ["llmlab", "sleep", "run", *known, "--base", str(after)]


def test_a_coder_with_another_vocabulary_of_equal_size_is_refused(
    sleep: Callable[..., None],
    coder: Path,
    episodes: Path,
    tmp_path: Path,
) -> None:
    after = tmp_path / "after"
    sleep("train", episodes, "--base", coder, "--out", after, "--steps", 1, "--method", "naive")
    open_client(ClientOptions(str(after)), 0.0, 0)
    about = json.loads((after / "coder.json").read_text())
    about["tokens"] = [*about["tokens"][:4], *about["tokens"][:3:-1]]
    (after / "coder.json").write_text(json.dumps(about))
    with pytest.raises(LabError, match=r"coder\.json is missing or not the file that was saved"):
        open_client(ClientOptions(str(after)), 0.0, 0)


def test_checksums_that_are_none_are_refused(coder: Path) -> None:
    (coder / "checksums.json").write_text("[]")
    with pytest.raises(LabError, match=r"checksums\.json holds no checksums: put back"):
        open_client(ClientOptions(str(coder)), 0.0, 0)
