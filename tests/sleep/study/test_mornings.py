"""Floor and ceiling of the table of nights."""

import pytest
from sleep_episodes import episode_with
from sleep_tokens import TOKENS

from llmlab.gpt.model import GPTConfig
from llmlab.sleep.coder.coder import Coder, new_coder
from llmlab.sleep.coder.school import koans_of
from llmlab.sleep.koans.koan import Koan
from llmlab.sleep.koans.verdict import Verdict
from llmlab.sleep.night.nights import Night
from llmlab.sleep.repair.task import Task
from llmlab.sleep.study.exams import spend_day
from llmlab.sleep.study.mornings import MAJORITY, SINGLE_TASK, examined_after, majority
from llmlab.sleep.study.skills import NOT_TRIED

NIGHT = Night(steps=2, batch_size=2, rank=2)


@pytest.fixture
def coder() -> Coder:
    return new_coder("python", TOKENS, GPTConfig(len(TOKENS.names), 256, 16, 1, 2), seed=0)


@pytest.fixture
def koans() -> tuple[Koan, ...]:
    return koans_of("python", "test", 4, 0, ["keys", "loops"])


def test_the_floor_gives_every_program_the_commonest_edit_of_the_day(coder: Coder) -> None:
    common = [episode_with(start=f"{name}\n", solution=f"{name} + 1\n") for name in ("cost", "age")]
    rare = episode_with(start="cost\n", solution="cost + 2\n")
    question = Task("python", "size\n", Verdict("test", "NameError", 1))
    (answer,) = majority(TOKENS, [rare, *common]).answer([question], 0)
    assert answer.text == "1|size + 1"


@pytest.mark.parametrize("method", [MAJORITY, SINGLE_TASK, "naive"])
def test_every_morning_is_examined_koan_by_koan(
    coder: Coder, koans: tuple[Koan, ...], method: str
) -> None:
    day = spend_day(coder, koans, NOT_TRIED)
    exam = examined_after(coder, day, method, NIGHT, koans)
    assert len(exam.is_green) == len(koans)
    assert not any(exam.is_new)
