"""`llmlab sleep run`: what it refuses before anything is lost."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from filelock import FileLock
from sleep_episodes import EPISODE

from llmlab.method.errors import LabError
from llmlab.method.locks import beside
from llmlab.sleep.command import day, options
from llmlab.sleep.repair.episodes import EpisodeFile
from llmlab.sleep.repair.task import Answer, Task
from llmlab.sleep.sandbox.sandbox import Unguarded


def one_koan(start: str = EPISODE.start, solution: str = EPISODE.solution) -> str:
    """A file of koans."""
    return f"""
family = "names"
language = "python"
hint = "Use a name that there is."

[[koan]]
name = "total"
error = "NameError"
start = {json.dumps(start)}
solution = {json.dumps(solution)}
cases = [["draw(1)", "1"]]
"""


@dataclass
class Moody:
    """Fails as many times as it is told to, then answers nonsense."""

    failures: int
    name: str = "moody"
    asked: list[str] = field(default_factory=list)

    def answer(self, tasks: Sequence[Task], turn: int) -> list[Answer]:
        self.asked += [task.code for task in tasks]
        self.failures -= 1
        return [Answer("?", failure="it is down" if self.failures >= 0 else "") for _ in tasks]


@pytest.fixture(autouse=True)
def no_walls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(day, "open_sandbox", lambda allow: Unguarded())


@pytest.fixture
def koans(tmp_path: Path) -> Path:
    path = tmp_path / "koans.toml"
    path.write_text(one_koan(), encoding="utf-8")
    return path


def test_a_model_that_answers_nothing_leaves_nothing_to_remove(
    sleep: Callable[..., None], koans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, out = Moody(failures=1), tmp_path / "day.jsonl"
    monkeypatch.setattr(day, "open_client", lambda *_: client)
    run = ("run", koans, "--out", out)
    with pytest.raises(LabError, match=r"answers nothing \(it is down\).*repeat the command"):
        sleep(*run)
    assert not out.exists()
    sleep(*run)
    assert [episode.turns[0].outcome for episode in EpisodeFile(out).read()] == ["no edit"]
    assert client.asked == [EPISODE.start] * 2


@pytest.mark.parametrize(
    ("start", "solution", "says"),
    [
        (EPISODE.solution, EPISODE.solution, "its start is green already"),
        (EPISODE.start, EPISODE.start, "its solution is red"),
    ],
)
def test_a_koan_that_is_not_what_it_says_is_no_exam(
    sleep: Callable[..., None],
    koans: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    start: str,
    solution: str,
    says: str,
) -> None:
    client, out = Moody(failures=0), tmp_path / "day.jsonl"
    monkeypatch.setattr(day, "open_client", lambda *_: client)
    koans.write_text(one_koan(start, solution), encoding="utf-8")
    with pytest.raises(LabError, match=says):
        sleep("run", koans, "--out", out)
    assert client.asked == []
    assert not out.exists()


def test_a_coder_is_not_asked_about_a_language_that_it_does_not_know(
    sleep: Callable[..., None], coder: Path, tmp_path: Path
) -> None:
    with pytest.raises(LabError, match=r"repairs python, .* in rust: .*--language python"):
        sleep("run", "moves", "--base", coder, "--out", tmp_path / "day.jsonl")


def test_two_runs_into_one_file_are_refused(
    sleep: Callable[..., None], koans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "day.jsonl"
    monkeypatch.setattr(day, "open_client", lambda *_: Moody(failures=0))
    with FileLock(beside(out)), pytest.raises(LabError, match="another process is writing to"):
        sleep("run", koans, "--out", out)
    assert not out.exists()


@pytest.mark.parametrize("name", ["micro", "hf:{}", "{}"])
def test_other_weights_in_the_same_place_do_not_go_on(
    sleep: Callable[..., None],
    koans: Path,
    coder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    client, out = Moody(failures=0, name=name.format(coder)), tmp_path / "day.jsonl"
    monkeypatch.setattr(options, "_micro_folder", lambda: coder)
    monkeypatch.setattr(day, "open_client", lambda *_: client)
    for _ in range(2):
        sleep("run", koans, "--base", coder, "--out", out)
    assert len(EpisodeFile(out).read()) == 1
    (coder / "coder.safetensors").write_bytes(b"another")
    sleep("run", koans, "--base", coder, "--out", out)
    assert len({episode.run for episode in EpisodeFile(out).read()}) == 2


def test_brackets_in_a_family_are_printed_as_they_are(
    sleep: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "day.jsonl"
    EpisodeFile(out).append(EPISODE.model_copy(update={"family": "[/b]"}))
    sleep("evaluate", out)
    assert "[/b]" in capsys.readouterr().out


def test_a_day_without_a_green_koan_is_json_all_the_same(
    sleep: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "day.jsonl"
    EpisodeFile(out).append(EPISODE)
    sleep("evaluate", out, "--json")
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert (found["all"]["passed"], found["all"]["median_turns"]) == (0, None)


def test_an_empty_file_is_refused_before_anything_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "none.jsonl").touch()
    with pytest.raises(LabError, match="there is no episode to evaluate"):
        day.evaluate(tmp_path / "none.jsonl")
    assert capsys.readouterr().out == ""
