"""Nights in a row: each begins where the last one ended."""

import pytest
import torch
from sleep_episodes import episode_with
from sleep_tokens import TOKENS

from llmlab.gpt.model import GPTConfig
from llmlab.sleep.coder.coder import new_coder
from llmlab.sleep.night.cycles import CYCLE_METHODS, cycles, unjudged
from llmlab.sleep.night.nights import Night
from llmlab.sleep.repair.episodes import Turn

NIGHT = Night(steps=1, batch_size=2, rank=2, alpha=4.0)


def episode(number, outcome, code="def draw(cost):\n    return cost * 1\n"):
    turn = Turn(answer="", outcome=outcome, code=code)
    return episode_with(id=str(number), koan=f"k{number}", turns=(turn,))


DAY = [episode(0, "green"), episode(1, "test"), episode(2, "no edit", code="")]


@pytest.fixture
def coder():
    return new_coder("python", TOKENS, GPTConfig(len(TOKENS.names), 64, 16, 1, 2), seed=0)


def test_without_a_judge_every_edit_is_a_lesson():
    assert len(unjudged(DAY, 0)) == 2
    assert len(CYCLE_METHODS["self"](DAY, 0)) == 1


def test_each_day_is_tried_by_what_the_last_night_made(coder):
    seen = []

    def spend(found, number):
        seen.append((found, number))
        return DAY

    mornings = list(cycles(coder, spend, "self", NIGHT, 3))
    assert [morning.night for morning in mornings] == [number for _, number in seen] == [1, 2, 3]
    assert [found for found, _ in seen] == [coder, mornings[0].coder, mornings[1].coder]
    assert mornings[0].day_rate == pytest.approx(1 / 3)
    weights = [each.coder.model.blocks[0].mlp.up.weight for each in mornings]
    assert not torch.equal(weights[0], weights[1])


def test_a_night_after_a_day_without_lessons_changes_nothing(coder):
    (morning,) = cycles(coder, lambda found, number: DAY[2:], "unjudged", NIGHT, 1)
    assert morning.coder is coder
