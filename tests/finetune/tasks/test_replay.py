import pytest

from llmlab.finetune.tasks.replay import with_replay
from llmlab.finetune.tasks.skills import SKILLS, subtraction
from llmlab.method.errors import LabError

NEW = subtraction().train[:96]


@pytest.mark.parametrize("share", [0.0, 0.05, 0.2, 0.5])
def test_replay_has_the_share_that_was_asked_for(share: float) -> None:
    mixed = with_replay(NEW, share, seed=0)
    n_old = sum(item not in set(NEW) for item in mixed)
    assert mixed[: len(NEW)] == NEW
    assert n_old / len(mixed) == pytest.approx(share, abs=0.5 / len(NEW))


def test_replay_takes_equally_from_each_skill() -> None:
    replayed = with_replay(NEW, 0.5, seed=0)[len(NEW) :]
    known = {name: set(skill().train) for name, skill in SKILLS.items()}
    counts = [sum(item in those for item in replayed) for those in known.values()]
    assert counts == [24, 24, 24, 24]


def test_replay_is_never_of_test_items() -> None:
    tested = {item.prompt for skill in SKILLS.values() for item in skill().test}
    replayed = with_replay(subtraction().train[:3000], 0.5, seed=1)[3000:]
    assert tested.isdisjoint(item.prompt for item in replayed)


def test_replay_depends_on_the_seed_alone() -> None:
    assert with_replay(NEW, 0.2, seed=3) == with_replay(NEW, 0.2, seed=3)
    assert with_replay(NEW, 0.2, seed=3) != with_replay(NEW, 0.2, seed=4)


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_share_without_new_items_is_an_error(share: float) -> None:
    with pytest.raises(LabError, match=f"share of {share}"):
        with_replay(NEW, share, seed=0)


def test_more_old_items_than_there_are_is_an_error() -> None:
    with pytest.raises(LabError, match="knowledge, which has 1024"):
        with_replay(subtraction().train, 0.6, seed=0)
