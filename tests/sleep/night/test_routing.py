"""The router reads what the base makes of a question, whatever stands in its batch."""

import torch
from sleep_tokens import TOKENS

from llmlab.gpt.model import GPTConfig
from llmlab.sleep.coder.coder import new_coder
from llmlab.sleep.coder.lessons import Lesson
from llmlab.sleep.koans.verdict import Verdict
from llmlab.sleep.night.routing import embedded, learned_router
from llmlab.sleep.repair.task import Task

CODER = new_coder("python", TOKENS, GPTConfig(len(TOKENS.names), 160, 32, 2, 2), seed=0)


def task(error, line):
    lines = [f"    cost = cost * {number}\n" for number in range(2, 2 + line)]
    return Task("python", "def draw(cost):\n" + "".join(lines), Verdict("test", error, line, ""))


SHORT, LONG = task("NameError", 2), task("KeyError", 5)


def test_a_question_reads_the_same_alone_and_beside_a_longer_one():
    alone_ND, beside_ND = embedded(CODER, [SHORT]), embedded(CODER, [SHORT, LONG])
    torch.testing.assert_close(alone_ND[0], beside_ND[0])


def test_the_router_tells_families_whose_errors_differ():
    lines = [line for line in range(1, 9) if line != 4]
    lessons = {
        "names": [Lesson(task("NameError", line), "") for line in lines],
        "keys": [Lesson(task("KeyError", line), "") for line in lines],
    }
    router = learned_router(CODER, lessons)
    assert router.families([task("KeyError", 4), task("NameError", 4)]) == ["keys", "names"]
