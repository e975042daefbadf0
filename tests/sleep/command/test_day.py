"""`llmlab sleep run` and `train`: what they refuse before anything is lost."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sleep_episodes import EPISODE

from llmlab.gpt.model import GPTConfig
from llmlab.method.errors import LabError
from llmlab.sleep.coder.coder import new_coder, save_coder
from llmlab.sleep.coder.tokens import END, FIX, PAD, UNKNOWN, CodeTokens
from llmlab.sleep.command import day
from llmlab.sleep.command.app import app
from llmlab.sleep.koans.koan import Case, Koan
from llmlab.sleep.repair.episodes import EpisodeFile
from llmlab.sleep.repair.task import Answer, Task
from llmlab.sleep.sandbox.sandbox import Unguarded

KOAN = Koan(
    name="total",
    family="names",
    language="python",
    error="NameError",
    start=EPISODE.start,
    solution=EPISODE.solution,
    cases=(Case("draw(1)", "1"),),
    hint="",
)


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


def sleep(*arguments: object) -> None:
    app([*map(str, arguments)], standalone_mode=False)


def test_a_model_that_answers_nothing_leaves_nothing_to_remove(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, out = Moody(failures=1), tmp_path / "day.jsonl"
    monkeypatch.setattr(day, "open_client", lambda *_: client)
    monkeypatch.setattr(day, "chosen", lambda *_: (KOAN,))
    run = ("run", "--out", out)
    with pytest.raises(LabError, match=r"answers nothing \(it is down\).*repeat the command"):
        sleep(*run)
    assert not out.exists()
    sleep(*run)
    assert [episode.turns[0].outcome for episode in EpisodeFile(out).read()] == ["no edit"]
    assert client.asked == [KOAN.start] * 2


@pytest.fixture
def coder(tmp_path: Path) -> Path:
    """The folder of one that knows Python, if hardly a word of it."""
    tokens = CodeTokens((PAD, END, UNKNOWN, FIX))
    folder = tmp_path / "coder"
    save_coder(new_coder("python", tokens, GPTConfig(len(tokens.names), 64, 16, 1, 2), 0), folder)
    return folder


def test_a_coder_is_not_asked_about_a_language_that_it_does_not_know(
    coder: Path, tmp_path: Path
) -> None:
    with pytest.raises(LabError, match=r"repairs python, .* in rust: .*--language python"):
        sleep("run", "moves", "--base", coder, "--out", tmp_path / "day.jsonl")


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
    options: list[str], why: str, coder: Path, episodes: Path, tmp_path: Path
) -> None:
    with pytest.raises(LabError, match=why):
        sleep("train", episodes, "--base", coder, "--out", tmp_path / "new", *options)
    assert not (tmp_path / "new").exists()


def test_a_file_is_no_folder_for_a_coder(coder: Path, episodes: Path) -> None:
    with pytest.raises(LabError, match="exists already: name a new"):
        sleep("train", episodes, "--base", coder, "--out", episodes)


def test_a_day_without_episodes_is_told(coder: Path, tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").touch()
    with pytest.raises(LabError, match="holds no episode"):
        sleep("train", tmp_path / "none.jsonl", "--base", coder, "--out", tmp_path / "new")
