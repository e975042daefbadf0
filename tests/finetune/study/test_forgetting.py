import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmlab.finetune.study.forgetting import paired_change, report
from llmlab.finetune.tasks.skills import Item
from llmlab.gpt.training import Evaluation
from llmlab.method.errors import LabError
from llmlab.method.judging.statistics import mcnemar_p


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
