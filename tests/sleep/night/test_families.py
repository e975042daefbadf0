"""Weights for each family: who answers what, and what a folder keeps of it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from sleep_episodes import episode_with
from sleep_tokens import TOKENS
from typer.testing import CliRunner

from llmlab.gpt.model import GPTConfig
from llmlab.method.errors import LabError
from llmlab.sleep.coder.coder import Coder, new_coder, save_coder
from llmlab.sleep.command.app import app
from llmlab.sleep.command.options import ClientOptions, open_client, open_coder
from llmlab.sleep.koans.verdict import Verdict
from llmlab.sleep.night.catalog import NIGHTS, SKILLS, spend_night
from llmlab.sleep.night.families import (
    FAMILIES,
    FamilyCoder,
    family_coder,
    load_family_coder,
    save_family_coder,
)
from llmlab.sleep.night.lessons import naive
from llmlab.sleep.night.methods import BY_FAMILY, ONE_CODER
from llmlab.sleep.night.nights import Night
from llmlab.sleep.night.routing import learned_router
from llmlab.sleep.repair.task import Answer, Task

ERRORS = {"keys": "KeyError", "names": "NameError", "types": "TypeError"}
DAY = [
    episode_with(family=family, start_error=error, start_line=line)
    for family, error in ERRORS.items()
    for line in (1, 2)
]
NIGHT = Night(steps=12, rank=2)


@pytest.fixture(scope="module")
def base() -> Coder:
    return new_coder("python", TOKENS, GPTConfig(len(TOKENS.names), 64, 16, 1, 2), seed=0)


@pytest.fixture(scope="module")
def routed(base: Coder) -> FamilyCoder:
    return spend_night(base, DAY, "routing", NIGHT)


def task(error: str, family: str = "") -> Task:
    return Task("python", DAY[0].start, Verdict("test", error, 2), family)


def test_the_command_explains_every_method_and_no_other() -> None:
    assert set(ONE_CODER) == set(NIGHTS)
    assert set(BY_FAMILY) == set(SKILLS)
    said = CliRunner().invoke(app, ["methods"]).stdout
    assert all(f" {name} " in said for name in (*ONE_CODER, *BY_FAMILY))


@pytest.mark.parametrize("method", ["share-full", "share-continual", "share-as-coded", "null"])
def test_a_night_by_family_gives_each_its_weights(base: Coder, method: str) -> None:
    after = spend_night(base, DAY, method, NIGHT)
    first, *others = (torch.cat([x.flatten() for x in s.values()]) for s in after.skills.values())
    assert list(after.skills) == sorted(ERRORS)
    assert all(float((first - other).abs().max()) > 0 for other in others)


def test_a_family_that_is_told_is_followed_and_another_is_guessed(routed: FamilyCoder) -> None:
    told, unheard_of, untold = task("KeyError", "types"), task("KeyError", "tea"), task("KeyError")
    assert routed.families([told]) == ["types"]
    assert routed.families([unheard_of]) == routed.families([untold])


@pytest.mark.parametrize("count", [2, 3])
def test_the_guess_is_that_of_the_router(base: Coder, count: int) -> None:
    lessons = {
        family: naive([each for each in DAY if each.family == family], 0)
        for family in list(ERRORS)[:count]
    }
    tasks = [task(error) for error in ("TypeError", "KeyError", "IndexError", "NameError")]
    guess = family_coder(base, {family: {} for family in lessons}, lessons)
    assert guess.families(tasks) == learned_router(base, lessons).families(tasks)


def test_one_family_needs_no_guess(base: Coder) -> None:
    after = spend_night(base, DAY[:2], "routing", NIGHT)
    assert after.families([task("NameError")]) == ["keys"]


class Telling(Coder):
    """Answers with the first number of a weight."""

    def answer(self, tasks: Sequence[Task], turn: int) -> list[Answer]:
        first = self.model.blocks[0].mlp.up.weight.detach()[0, 0]
        return [Answer(f"{float(first):.0f}")] * len(tasks)


def test_each_task_is_answered_with_the_weights_of_its_family(routed: FamilyCoder) -> None:
    base = Telling(routed.base.model, TOKENS, "python")
    sizes = {"keys": 10, "names": 20, "types": 30}
    skills = {
        family: {"blocks.0.mlp.up": torch.full((64, 16), float(size))}
        for family, size in sizes.items()
    }
    tasks = [task("NameError", family) for family in ("types", "keys", "types", "names")]
    said = [each.text for each in replace(routed, base=base, skills=skills).answer(tasks, 0)]
    assert said == ["30", "10", "30", "20"]


def test_a_coder_by_family_comes_back_from_its_folder(routed: FamilyCoder, tmp_path: Path) -> None:
    save_family_coder(routed, tmp_path)
    again = open_client(ClientOptions(str(tmp_path)), 0.0, 0)
    tasks = [task(error) for error in ("TypeError", "IndexError", "NameError")]
    assert again.families(tasks) == routed.families(tasks)
    for family, changes in routed.skills.items():
        assert all(torch.equal(x, again.skills[family][path]) for path, x in changes.items())


def test_damage_is_told(routed: FamilyCoder, tmp_path: Path) -> None:
    save_family_coder(routed, tmp_path)
    whole = (tmp_path / FAMILIES).read_bytes()
    (tmp_path / FAMILIES).write_bytes(whole[:-10])
    with pytest.raises(LabError, match="is damaged"):
        load_family_coder(tmp_path)


def test_weights_for_another_base_are_told(routed: FamilyCoder, tmp_path: Path) -> None:
    save_family_coder(routed, tmp_path)
    save_coder(new_coder("python", TOKENS, GPTConfig(len(TOKENS.names), 64, 32, 1, 2), 0), tmp_path)
    with pytest.raises(LabError, match="is damaged"):
        load_family_coder(tmp_path)


def test_where_one_set_of_weights_is_needed_another_coder_is_asked_for(
    routed: FamilyCoder, tmp_path: Path
) -> None:
    save_family_coder(routed, tmp_path)
    with pytest.raises(LabError, match="one set is needed"):
        open_coder(str(tmp_path))
