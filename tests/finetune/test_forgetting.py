from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from llmlab.finetune.base import load_base, new_base, save_base
from llmlab.finetune.forgetting import (
    Check,
    apart,
    at_accuracy,
    graded_suites,
    loss_correlation,
    old_items,
    paired_change,
    report,
    watched_run,
    with_replay,
)
from llmlab.finetune.lora import LoraSpec
from llmlab.finetune.skills import SKILLS, TOKENIZER, Item, subtraction
from llmlab.finetune.tuning import Task, Tuning, tuned_model
from llmlab.gpt.training import Evaluation, TrainConfig
from llmlab.method.errors import LabError
from llmlab.method.judging.statistics import mcnemar_p

CPU = torch.device("cpu")
NEW = subtraction().train[:96]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_base(new_base(d_model=16, n_layers=1, n_heads=2, context=32, seed=0), tmp_path)
    return tmp_path


def tuning(folder: Path, train: Sequence[Item], learning_rate: float = 5e-3) -> Tuning:
    return Tuning(
        base=folder,
        task=Task(train=train, validation=NEW[:10], test=NEW[10:20]),
        method=LoraSpec(rank=2, alpha=4),
        config=TrainConfig(learning_rate=learning_rate, steps=6, log_every=1),
        batch_size=8,
        seed=0,
        suite_items=5,
    )


def grades(correct: str) -> Evaluation:
    """Of one item per sign, right where it is "+"."""
    return Evaluation(loss=0.0, correct=tuple(sign == "+" for sign in correct))


def items(levels: str) -> list[Item]:
    return [Item("?", "!", int(level)) for level in levels]


def test_forgetting_and_plasticity_are_told_apart() -> None:
    found = report(
        before={"old": grades("++++"), "new": grades("----")},
        after={"old": grades("+---"), "new": grades("++--")},
        items={"old": items("1111"), "new": items("1111")},
        new="new",
    )
    assert found.forgetting.value == 0.75
    assert found.plasticity is not None
    assert found.plasticity.value == 0.5


def test_forgetting_is_the_mean_over_suites_however_many_items_they_have() -> None:
    found = report(
        before={"a": grades("++"), "b": grades("++++++")},
        after={"a": grades("--"), "b": grades("++++++")},
        items={"a": items("11"), "b": items("111111")},
    )
    assert found.forgetting.value == 0.5
    assert found.plasticity is None


def test_each_level_of_difficulty_has_its_row() -> None:
    found = report(
        before={"old": grades("+++-")},
        after={"old": grades("++--")},
        items={"old": items("1122")},
    )
    assert [(row.level, row.before.value, row.after.value) for row in found.rows] == [
        (None, 0.75, 0.5),
        (1, 1.0, 1.0),
        (2, 0.5, 0.0),
    ]


def test_p_values_allow_for_the_number_of_rows() -> None:
    before, after = "+" * 12, "-" * 6 + "+" * 6
    found = report(
        before={"a": grades(before), "b": grades(before)},
        after={"a": grades(after), "b": grades(before)},
        items={"a": items("1" * 12), "b": items("1" * 12)},
    )
    single = mcnemar_p(grades(before).correct, grades(after).correct)
    assert found.rows[0].p_value == pytest.approx(2 * single)


def test_a_report_reads_as_a_table() -> None:
    found = report({"old": grades("+++-")}, {"old": grades("+---")}, {"old": items("1111")})
    assert [line.split()[0] for line in str(found).splitlines()] == ["suite", "old", "forgetting"]


@pytest.mark.parametrize("short", ["before", "after"])
def test_grades_of_other_items_are_an_error(short: str) -> None:
    both = {"before": {"old": grades("++")}, "after": {"old": grades("++")}}
    both[short] = {"old": grades("+")}
    with pytest.raises(LabError, match=f"2 items but 1 grades {short}"):
        report(**both, items={"old": items("11")})


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_the_interval_holds_the_change_and_turns_round_with_it(
    pairs: list[tuple[bool, bool]],
) -> None:
    before, after = np.array(pairs).T
    found = paired_change(before, after)
    back = paired_change(after, before)
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high
    assert (back.value, back.low, back.high) == pytest.approx(
        (-found.value, -found.high, -found.low)
    )


def test_the_interval_covers_the_true_change() -> None:
    generator = np.random.default_rng(0)
    draws = generator.choice(4, p=(0.7, 0.02, 0.08, 0.2), size=(2000, 100))
    found = [paired_change(draw >> 1 == 0, draw & 1 == 0) for draw in draws]
    # cells: 0 right both times, 1 lost, 2 gained, 3 wrong both times
    covered = np.mean([one.low <= 0.06 <= one.high for one in found])
    assert 0.93 < covered < 0.98


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


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_a_watched_run_trains_as_one_that_nobody_watches(folder: Path, share: float) -> None:
    described = tuning(folder, with_replay(NEW, share, seed=0))
    plain, history = tuned_model(described)
    watched = watched_run(described, every=2, n_items=3)
    assert [point.loss for point in watched.history.points] == pytest.approx(
        [point.loss for point in history.points], rel=1e-5
    )
    for one, other in zip(plain.parameters(), watched.model.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_a_watched_run_is_looked_at_from_the_base_model_on(folder: Path) -> None:
    watched = watched_run(tuning(folder, NEW), every=2, n_items=3)
    base = graded_suites(load_base(folder, CPU), old_items(3), CPU)
    assert [check.step for check in watched.checks] == [0, 2, 4, 6]
    assert watched.checks[0].old_loss == pytest.approx(
        sum(grade.loss for grade in base.values()) / 4
    )


def test_a_run_that_diverges_is_not_looked_at_again(folder: Path) -> None:
    watched = watched_run(tuning(folder, NEW, learning_rate=float("inf")), every=2, n_items=3)
    assert watched.history.diverged_at is not None
    assert [check.step for check in watched.checks] == [0]


@pytest.mark.parametrize("rows", ["short", "long", "short long short"])
def test_short_rows_computed_apart_give_the_same_logits(rows: str) -> None:
    model = new_base(d_model=16, n_layers=1, n_heads=2, context=32, seed=0)
    tokens_BT = torch.randint(1, TOKENIZER.vocab_size, (len(rows.split()), 12))
    for index, kind in enumerate(rows.split()):
        if kind == "short":
            tokens_BT[index, 5:] = TOKENIZER.PAD
    logits_BTV = apart(model, width=5)(tokens_BT)
    assert logits_BTV.shape == model(tokens_BT).shape
    counted_BT = tokens_BT != TOKENIZER.PAD
    torch.testing.assert_close(logits_BTV[counted_BT], model(tokens_BT)[counted_BT])


def checks(*looks: tuple[float, float]) -> list[Check]:
    """Looks ten steps apart, each of a new accuracy and an old one."""
    return [
        Check(10 * index, new, 2 - 2 * new, old, 1 - old) for index, (new, old) in enumerate(looks)
    ]


def test_a_target_between_two_looks_is_found_on_the_line() -> None:
    looks = checks((0.0, 1.0), (0.3, 0.8), (0.5, 0.4), (0.2, 0.0), (0.9, 0.0))
    assert at_accuracy(looks, 0.4, lambda check: check.old_accuracy) == pytest.approx(0.6)
    assert at_accuracy(looks, 0.4, lambda check: check.step) == pytest.approx(15)


def test_a_target_that_is_never_reached_has_no_value() -> None:
    assert np.isnan(at_accuracy(checks((0.0, 1.0), (0.3, 0.8)), 0.4, lambda check: check.step))


def test_losses_on_a_line_are_correlated_fully_but_for_the_base_model() -> None:
    line = checks((0.9, 0.9), (0.1, 0.9), (0.2, 0.8), (0.4, 0.6))
    assert loss_correlation(line) == pytest.approx(-1)


def test_a_loss_that_does_not_move_has_no_correlation() -> None:
    assert np.isnan(loss_correlation(checks((0.0, 1.0), (0.1, 0.5), (0.3, 0.5))))
