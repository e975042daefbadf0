"""One hypothesis on one table: each claim, tuning, diverged runs, alarms."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from doses import HYPOTHESIS
from hypothesis import given, settings
from hypothesis import strategies as st

from llmlab.method.declare.experiment import Axis, Budget, Experiment, Metric
from llmlab.method.errors import LabError
from llmlab.method.judging.case import Judgement, NoJudgement
from llmlab.method.judging.judgement import judge
from llmlab.method.judging.sides import Edge, NoRoom, settled

DOSES = [1.0, 2.0, 4.0]
NOISE = np.random.default_rng(0).normal(scale=0.01, size=10)

EXPERIMENT = Experiment(
    name="dose",
    title="Dose",
    question="Q-DOSE",
    summary="Doses.",
    axes=[Axis("dose", "Dose given.", "mg"), Axis("form", "Form given.")],
    metrics=[
        Metric("score", "How well.", "nats", "higher"),
        Metric("error", "How badly.", "nats", "lower"),
        Metric("loss", "What tunes.", "nats", "lower"),
        Metric("count", "How many.", "1"),
    ],
    budgets={"laptop": Budget({"dose": DOSES, "form": ["pill", "drops"]}, seeds=10)},
    run=lambda trial: None,
    selection_metric="loss",
)

BASE = replace(
    HYPOTHESIS,
    experiment="dose",
    treatment={"dose": 2.0, "form": "pill"},
    control={"dose": 1.0, "form": "pill"},
    margin=0.1,
)
TREND = replace(
    BASE,
    claim="monotone",
    treatment={"form": "pill"},
    control={},
    along="dose",
    direction="increasing",
    margin=0.5,
)
OPTIMUM = replace(
    BASE,
    claim="interval",
    treatment={"form": "pill"},
    control={},
    margin=None,
    best="dose",
    interval=(1.5, 3.0),
)


def table(score, seeds=5, forms=("pill",), loss=lambda dose, form: 1.0, doses=DOSES):
    """Runs whose score is a function of dose, seed and form; drops are worse by 1 if there."""
    rows = [
        {
            "run_id": f"dose={dose}/form={form}/seed={seed}",
            "dose": dose,
            "form": form,
            "seed": seed,
            "score": score(dose, seed) - (form == "drops"),
            "error": -score(dose, seed),
            "loss": loss(dose, form),
            "count": float(seed),
            "status": "completed",
        }
        for dose in doses
        for form in forms
        for seed in range(seeds)
    ]
    return pd.DataFrame(rows)


def steep(dose, seed):
    return dose + NOISE[seed] * dose


def diverge(runs, rows):
    """The table with these rows diverged."""
    runs = runs.copy()
    runs.loc[rows, "status"] = "diverged"
    runs.loc[rows, ["score", "error", "loss", "count"]] = np.nan
    return runs


@pytest.mark.parametrize(
    ("claim", "margin", "supported"),
    [
        ("greater", 0.1, True),
        ("greater", 1.5, False),
        ("equivalent", 1.5, True),
        ("equivalent", 0.1, False),
    ],
)
def test_a_clear_difference_is_judged_by_its_margin(claim, margin, supported):
    judgement = judge(replace(BASE, claim=claim, margin=margin), EXPERIMENT, table(steep))
    for_it, against_it = judgement.p_supported < 0.001, judgement.p_refuted < 0.001
    assert (for_it, against_it) == (supported, not supported)


def test_less_is_greater_with_the_sides_exchanged():
    less = replace(BASE, claim="less", treatment=BASE.control, control=BASE.treatment)
    exchanged = judge(less, EXPERIMENT, table(steep))
    judgement = judge(BASE, EXPERIMENT, table(steep))
    assert exchanged.effect == -judgement.effect
    assert exchanged.p_supported == judgement.p_supported


def test_a_judgement_tells_effect_interval_unit_and_sides():
    judgement = judge(BASE, EXPERIMENT, table(steep))
    treatment, control = judgement.sides
    assert judgement.effect == pytest.approx(treatment.mean - control.mean)
    assert judgement.low < judgement.effect < judgement.high
    assert (judgement.n, judgement.unit, judgement.level) == (5, "nats", 0.9)
    assert judgement.per_seed == pytest.approx(1 + NOISE[:5])
    assert treatment.condition == {"dose": 2.0, "form": "pill"}
    assert control.values[3] == pytest.approx(1 + NOISE[3])
    assert judgement.second_opinion is None
    low, high = judge(BASE, EXPERIMENT, table(steep, seeds=10)).second_opinion
    assert 0.99 < low < high < 1.01


def test_a_reference_stands_for_a_control():
    judgement = judge(replace(BASE, control={}, reference=1.5), EXPERIMENT, table(steep))
    assert judgement.effect == pytest.approx(judgement.sides[0].mean - 1.5)
    assert (len(judgement.sides), judgement.test) == (1, "one-sided: t test")


def test_each_side_is_tuned_by_the_selection_metric_alone():
    def loss(dose, form):
        return {1.0: {"pill": 0, "drops": 1}}.get(dose, {"pill": 1, "drops": 0})[form]

    tuned = replace(BASE, treatment={"dose": 2.0}, control={"dose": 1.0}, tuned=("form",))
    runs = table(steep, forms=("pill", "drops"), loss=loss)
    treatment, control = judge(tuned, EXPERIMENT, runs).sides
    assert (treatment.condition["form"], control.condition["form"]) == ("drops", "pill")


def test_a_tuned_level_at_the_edge_of_its_sweep_raises_an_alarm():
    tuned = replace(
        BASE, treatment={"form": "pill"}, control={"form": "drops"}, tuned=("dose",), margin=0.0
    )

    def loss(dose, form):
        return -dose if form == "pill" else abs(dose - 2.0)

    judgement = judge(tuned, EXPERIMENT, table(steep, forms=("pill", "drops"), loss=loss))
    assert judgement.alarms == ("treatment: the best dose, 4, is the highest level tried",)
    assert judgement.open_end == "the grid of dose must extend to at least 8"


@pytest.mark.parametrize(
    ("lowest", "open_end"), [(0.0, ""), (0.5, "the grid of dose must extend to at least 0.25")]
)
def test_a_lowest_level_of_0_is_no_edge(lowest, open_end):
    tuned = replace(
        BASE, treatment={"form": "pill"}, control={"form": "drops"}, tuned=("dose",), margin=0.0
    )
    doses = (lowest, 1.0, 2.0)
    runs = table(steep, forms=("pill", "drops"), loss=lambda dose, form: dose, doses=doses)
    assert judge(tuned, EXPERIMENT, runs).open_end == open_end


def test_a_level_of_0_that_does_nothing_ends_the_grid_and_is_no_choice():
    tuned = replace(
        BASE, treatment={"form": "pill"}, control={"form": "drops"}, tuned=("dose",), margin=0.0
    )
    runs = table(steep, 5, ("pill", "drops"), lambda dose, form: dose, doses=(0.0, 1.0, 2.0))
    judgement = judge(tuned, EXPERIMENT, runs)
    assert [side.condition["dose"] for side in judgement.sides] == [1.0, 1.0]
    assert judgement.open_end == ""
    runs["loss"] += np.resize(NOISE, len(runs))
    varying = judge(tuned, EXPERIMENT, runs)
    assert [side.condition["dose"] for side in varying.sides] == [0.0, 0.0]
    assert varying.open_end == ""


def test_cautions_name_axes_and_metrics_in_words():
    edge = Edge("learning_rate", 0.005, "highest", 0.01)
    assert edge.alarm == "the best learning rate, 5e-3, is the highest level tried"
    assert edge.remedy == "the grid of learning rate must extend to at least 1e-2"
    assert NoRoom("accuracy_new", "floor").alarm == "all sides lie at the floor of accuracy new"


def test_a_verdict_has_to_hold_at_every_level_that_may_be_the_best():
    tuned = replace(BASE, treatment={"dose": 4.0}, control={"dose": 1.0}, tuned=("form",), margin=2)
    clear = table(steep, forms=("pill", "drops"), loss=lambda dose, form: float(form == "drops"))
    assert judge(tuned, EXPERIMENT, clear).p_supported < 0.001
    runs = clear.copy()
    runs["loss"] += [0.9 * (seed % 2) * (1 if form == "pill" else -1) + 0.02 * (form == "pill")
                     for form, seed in zip(runs["form"], runs["seed"], strict=True)]  # fmt: skip
    doubtful = judge(tuned, EXPERIMENT, runs)
    assert [set(side.rivals) for side in doubtful.sides] == [{"drops"}, {"drops"}]
    assert doubtful.p_supported > 0.4 > judge(tuned, EXPERIMENT, clear).p_supported
    assert doubtful.test == "one-sided: paired t test, at each of 4 choices of levels"


def test_the_best_over_all_levels_may_be_compared_itself():
    frontier = replace(
        BASE,
        treatment={"form": "pill"},
        control={"form": "drops"},
        tuned=("dose",),
        chosen_by="score",
        margin=0.5,
    )
    runs = table(peak_at(2.0), forms=("pill", "drops"))
    runs["score"] += np.resize(NOISE, len(runs))
    judgement = judge(frontier, EXPERIMENT, runs)
    assert judgement.effect == pytest.approx(1, abs=0.02)  # drops are worse by 1 at every dose
    assert judgement.p_supported < 0.001 < judgement.p_refuted
    assert judgement.open_end == ""
    more = replace(frontier, margin=1.5)
    against = judge(more, EXPERIMENT, runs)
    assert against.p_refuted < 0.001 < against.p_supported


def test_of_the_best_over_all_levels_only_the_losing_edge_counts():
    frontier = replace(
        BASE,
        treatment={"form": "pill"},
        control={"form": "drops"},
        tuned=("dose",),
        chosen_by="score",
    )
    runs = table(peak_at(2.0), forms=("pill", "drops"))
    pills = runs["form"] == "pill"
    rising = runs.assign(score=runs["score"].where(~pills, runs["dose"] + runs["score"] / 100))
    assert judge(frontier, EXPERIMENT, rising).open_end == ""
    losing = replace(frontier, treatment=frontier.control, control=frontier.treatment)
    assert judge(losing, EXPERIMENT, rising).open_end == ""
    lowered = rising.assign(score=rising["score"].where(~pills, rising["score"] - 100))
    assert "must extend to at least 8" in judge(frontier, EXPERIMENT, lowered).open_end


def test_a_trend_is_the_rank_correlation_of_each_seed():
    def uneven(dose, seed):
        return {1.0: 0, 2.0: 1 if seed < 4 else 3, 4.0: 2}[dose]

    judgement = judge(TREND, EXPERIMENT, table(uneven))
    assert judgement.per_seed == pytest.approx((1, 1, 1, 1, 0.5))
    assert judgement.p_supported < 0.01
    falling = judge(replace(TREND, direction="decreasing"), EXPERIMENT, table(uneven))
    assert falling.p_refuted < 0.01
    assert [side.name for side in judgement.sides] == ["dose = 1", "dose = 2", "dose = 4"]


def test_a_trend_has_to_reach_its_margin_besides():
    def flat(dose, seed):
        return {1.0: 0, 2.0: 2, 4.0: 1}[dose]

    judgement = judge(replace(TREND, margin=0.6), EXPERIMENT, table(flat))
    assert (judgement.effect, judgement.p_supported) == (pytest.approx(0.5), 1.0)


@pytest.mark.parametrize(("unit", "p_value"), [("nats", 1.0), ("share", (2.1 / 3) ** 5)])
def test_equal_effects_of_all_seeds_say_little(unit, p_value):
    # of shares the difference lies between -2 and 2: four gamblers, the boldest stakes all
    metrics = [replace(metric, unit=unit) for metric in EXPERIMENT.metrics]
    design = replace(EXPERIMENT, metrics=metrics)
    judgement = judge(BASE, design, table(lambda dose, seed: dose))
    assert "so its spread is unknown" in judgement.alarms[0]
    assert p_value <= judgement.p_supported <= min(1.0, 4 * p_value)


def test_a_check_has_no_p_value():
    judgement = judge(replace(BASE, kind="check"), EXPERIMENT, table(steep))
    assert (judgement.p_supported, judgement.p_refuted) == (None, None)
    assert judgement.test == "a check: each seed alone"


def peak_at(best):
    return lambda dose, seed: -abs(dose - best) + NOISE[seed] * dose


@pytest.mark.parametrize("metric", ["score", "error"])
def test_the_best_level_is_sought_in_the_direction_of_the_metric(metric):
    runs = table(peak_at(2.0))
    runs["error"] = -runs["score"]
    judgement = judge(replace(OPTIMUM, metric=metric), EXPERIMENT, runs)
    assert (judgement.effect, judgement.low, judgement.high, judgement.unit) == (2, 2, 2, "mg")
    assert judgement.p_supported < 0.001 < judgement.p_refuted
    assert judgement.alarms == ()


def test_a_best_level_at_the_edge_refutes_and_raises_an_alarm():
    judgement = judge(OPTIMUM, EXPERIMENT, table(peak_at(4.0)))
    assert judgement.open_end == ""  # what lies beyond is outside the interval as well
    within = judge(replace(OPTIMUM, interval=(1.5, 8.0)), EXPERIMENT, table(peak_at(4.0)))
    assert within.open_end == "the grid of dose must extend to at least 8"
    assert judgement.p_refuted < 0.001 < judgement.p_supported
    assert judgement.alarms == ("the best dose, 4, is the highest level tried",)


def test_seeds_that_disagree_on_the_best_level_decide_nothing():
    judgement = judge(OPTIMUM, EXPERIMENT, table(lambda dose, seed: -abs(dose - 1 - seed % 2)))
    assert min(judgement.p_supported, judgement.p_refuted) > 0.05
    assert judgement.low < judgement.high


def test_levels_that_tie_across_the_end_of_the_interval_decide_nothing():
    judgement = judge(OPTIMUM, EXPERIMENT, table(lambda dose, seed: min(dose, 2.0)))
    assert (judgement.p_supported, judgement.p_refuted) == (1, 1)
    assert "tie for the best: 2, 4" in judgement.alarms[0]


def test_a_diverged_run_counts_as_the_worst_completed_value():
    runs = diverge(table(steep), [5])  # dose 2, seed 0
    judgement = judge(BASE, EXPERIMENT, runs)
    worst = runs["score"].min()
    assert judgement.sides[0].values[0] == worst
    assert (judgement.n, judgement.sides[0].diverged) == (5, 1)
    assert "treatment: 1 of 5 runs diverged" in judgement.alarms[0]


def test_divergence_of_a_whole_side_is_evidence_against_it():
    runs = diverge(table(lambda dose, seed: 3 - dose + NOISE[seed] * dose), range(5))
    assert judge(BASE, EXPERIMENT, runs).p_supported < 0.05  # the control, dose 1, diverged


def test_the_worst_value_follows_the_direction_of_the_metric():
    runs = settled(diverge(table(steep), [0]), EXPERIMENT)
    assert runs.loc[0, "score"] == runs["score"].min()
    assert runs.loc[0, "error"] == runs["error"].max()
    assert np.isnan(runs.loc[0, "count"])


def shares(share):
    """A table of shares that hardly differ, and its experiment."""
    metrics = [Metric("score", "How often.", "share", "higher"), *EXPERIMENT.metrics[1:]]
    runs = table(lambda dose, seed: share + NOISE[seed] / 10 * dose, seeds=10)
    return replace(EXPERIMENT, metrics=metrics), runs


@pytest.mark.parametrize(
    ("share", "alarms"),
    [
        (0.0, ()),  # differences of shares, some of them negative
        (0.01, ("all sides lie at the floor of score",)),
        (0.5, ()),
        (0.99, ("all sides lie at the ceiling of score",)),
    ],
)
def test_shares_without_room_to_differ_raise_an_alarm(share, alarms):
    assert judge(BASE, *shares(share)).alarms == alarms


@pytest.mark.parametrize(
    ("claim", "share", "open_end"),
    [
        ("greater", 0.01, ""),  # there was all room, and no difference
        ("less", 0.01, "another budget must take score off its floor"),
        ("equivalent", 0.01, "another budget must take score off its floor"),
        ("greater", 0.99, "another budget must take score off its ceiling"),
        ("less", 0.99, ""),
        ("equivalent", 0.5, ""),
    ],
)
def test_a_claim_that_needs_room_beyond_the_end_of_the_scale_is_open(claim, share, open_end):
    assert judge(replace(BASE, claim=claim, margin=0.1), *shares(share)).open_end == open_end


def test_an_edge_and_the_end_of_the_scale_are_both_named():
    tuned = replace(
        BASE, claim="less", treatment={"form": "pill"}, control={"form": "drops"}, tuned=("dose",)
    )
    experiment, _ = shares(0.01)
    runs = table(
        lambda dose, seed: 0.01 + NOISE[seed] / 10,
        seeds=10,
        forms=("pill", "drops"),
        loss=lambda dose, form: -dose,
    )
    runs["score"] = runs["score"].abs().clip(0, 0.015)
    assert judge(tuned, experiment, runs).open_end == (
        "the grid of dose must extend to at least 8 and another budget must take score off its "
        "floor"
    )


def test_a_check_may_lie_at_the_end_of_the_scale():
    check = replace(BASE, kind="check", claim="equivalent", margin=0.1)
    assert judge(check, *shares(0.99)).open_end == ""


def test_a_failed_run_leaves_its_seed_out_on_both_sides():
    runs = table(steep)
    runs.loc[5, ["status", "score"]] = ["failed", np.nan]
    judgement = judge(BASE, EXPERIMENT, runs)
    assert judgement.n == 4
    assert [sorted(side.values) for side in judgement.sides] == [[1, 2, 3, 4]] * 2
    assert "1 of 5 seeds are left out" in judgement.alarms[0]


def test_two_pairs_are_too_few():
    verdict = judge(BASE, EXPERIMENT, table(steep, seeds=2))
    assert verdict == NoJudgement(
        "UNDECIDED", "Only 2 seeds have a value on every side; a verdict needs at least 3."
    )


def test_a_level_that_a_scale_lacks_leaves_the_hypothesis_untested():
    verdict = judge(BASE, EXPERIMENT, table(steep, doses=[2.0, 4.0]))
    assert verdict == NoJudgement("UNTESTED", "This scale has no runs with dose = 1.")


def test_an_axis_left_open_is_an_error():
    with pytest.raises(LabError, match=r"H-DOSE-1: treatment: form has 2 levels at laptop"):
        judge(replace(BASE, treatment={"dose": 2.0}), EXPERIMENT, table(steep))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 1, width=16), min_size=15, max_size=15), st.permutations(range(15)))
def test_the_order_of_the_rows_does_not_matter(scores, order):
    runs = table(lambda dose, seed: scores[DOSES.index(dose) * 5 + seed])
    judgement = judge(BASE, EXPERIMENT, runs)
    shuffled = judge(BASE, EXPERIMENT, runs.iloc[order])
    assert isinstance(judgement, Judgement)
    assert shuffled.effect == pytest.approx(judgement.effect)
    assert shuffled.p_supported == pytest.approx(judgement.p_supported, abs=1e-9)
