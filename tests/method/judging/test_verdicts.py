"""Verdicts from real tables: words, correction, smoke runs, provenance."""

from dataclasses import replace
from datetime import date

import pytest

from llmlab.method.evidence.recording import record
from llmlab.method.json_values import json_value
from llmlab.method.judging.judgement import Judgement, NoJudgement
from llmlab.method.judging.ledger import Hypothesis
from llmlab.method.judging.verdicts import (
    decide,
    judge_all,
    judge_family,
    smoke_agreement,
    verdicts,
)
from llmlab.method.running.runner import run_experiment

DOSE = """
from llmlab.method.declare.experiment import Axis, Budget, Experiment, Metric, Outcome, Trial


def run(trial: Trial) -> Outcome:
    dose, seed = trial.condition["dose"], trial.seed
    return Outcome({"score": dose + 0.01 * seed * dose})


EXPERIMENT = Experiment(
    name="toy",
    title="Dose",
    question="Q-DOSE",
    summary="Doses.",
    axes=(Axis("dose", "Dose given."),),
    metrics=(Metric("score", "How well.", "nats", "higher"),),
    budgets={
        "smoke": Budget({"dose": [1.0, 2.0]}, seeds=3),
        "laptop": Budget({"dose": [1.0, 2.0]}, seeds=5),
    },
    run=run,
)
"""

LEDGER = {
    "questions.toml": '[[question]]\nid = "Q-DOSE"\ntext = "Which dose?"\ntrack = "medicine"\n',
    "tracks.toml": """
[[track]]
id = "medicine"
title = "Medicine"
goal = "To know."

[[track.phase]]
id = "first"
title = "First"
goal = "To begin."

[[track.phase.feature]]
title = "The dose"
experiments = ["toy"]
""",
    "hypotheses.toml": """
[[hypothesis]]
id = "H-DOSE-1"
question = "Q-DOSE"
experiment = "toy"
title = "More helps"
statement = "Two score at least 0.5 points more than one."
reason = "Theory."
metric = "score"
claim = "greater"
treatment = { dose = 2.0 }
control = { dose = 1.0 }
margin = 0.5
family = "dose"
registered = 2026-01-31

[[hypothesis]]
id = "H-DOSE-2"
question = "Q-DOSE"
experiment = "toy"
title = "It does not matter"
statement = "Two score like one, within 0.5 points."
reason = "Another theory."
metric = "score"
claim = "equivalent"
treatment = { dose = 2.0 }
control = { dose = 1.0 }
margin = 0.5
family = "dose"
registered = 2026-01-31

[[hypothesis]]
id = "H-DOSE-3"
question = "Q-DOSE"
experiment = "toy"
title = "Much more helps"
statement = "Two score at least 1.02 points more than one."
reason = "Theory."
metric = "score"
claim = "greater"
treatment = { dose = 2.0 }
control = { dose = 1.0 }
margin = 1.02
family = "dose"
registered = 2026-01-31
""",
}

HYPOTHESIS = Hypothesis(
    id="H-DOSE-1",
    question="Q-DOSE",
    experiment="toy",
    title="More helps",
    statement="It does.",
    reason="Theory.",
    metric="score",
    claim="greater",
    family="dose",
    registered=date(2026, 1, 31),
    treatment={"dose": 2.0},
    control={"dose": 1.0},
    margin=0.5,
)

JUDGEMENT = Judgement(
    effect=0.6,
    low=0.4,
    high=0.8,
    level=0.9,
    n=5,
    unit="points",
    per_seed=(0.5, 0.6, 0.7, 0.6, 0.6),
    second_opinion=(0.45, 0.75),
    test="one-sided: paired t test",
    p_supported=0.5,
    p_refuted=0.5,
    sides=(),
    alarms=(),
)


@pytest.fixture
def medicine(lab):
    """A lab with a ledger and its experiment, not yet run."""
    for name, text in LEDGER.items():
        (lab.project.ledger / name).write_text(text)
    return lab


def one_verdict(judgement, others=(), looks=1):
    """The verdict on a judgement in a family with others, through the corrections."""
    family = [replace(HYPOTHESIS, id=f"H-DOSE-{n}") for n in range(1, 2 + len(others))]
    judged = dict(zip([h.id for h in family], [judgement, *others], strict=True))
    return judge_family(family, judged, dict.fromkeys(judged, looks))["H-DOSE-1"]


def test_holm_corrects_each_direction_over_the_family():
    judgement = replace(JUDGEMENT, p_supported=0.02, p_refuted=0.9)
    assert one_verdict(judgement).supported == 2 * 0.02
    other = replace(JUDGEMENT, p_supported=0.03)
    assert one_verdict(judgement, [other]).supported == pytest.approx(2 * 0.04)


def test_what_was_not_tested_still_counts_in_the_family():
    judgement = replace(JUDGEMENT, p_supported=0.02)
    untested = NoJudgement("UNTESTED", "There are no runs yet.")
    adjusted = one_verdict(judgement, [untested] * 3)
    assert (adjusted.supported, adjusted.size) == (pytest.approx(2 * 0.08), 4)


def test_families_do_not_touch_each_other():
    others = [replace(HYPOTHESIS, id="H-X", family="other")]
    judged = {"H-DOSE-1": JUDGEMENT, "H-X": JUDGEMENT}
    assert (
        judge_family([HYPOTHESIS, *others], judged, dict.fromkeys(judged, 1))["H-DOSE-1"].size == 1
    )


def test_each_look_has_half_of_the_alpha_that_is_left():
    judgement = replace(JUDGEMENT, p_supported=0.02, p_refuted=0.9)
    first, second = (one_verdict(judgement, looks=looks) for looks in (1, 2))
    assert (first.supported, second.supported) == (0.04, 0.08)
    assert (second.refuted, second.looks) == (1.0, 2)


def decided(hypothesis, judgement):
    """The word and reason on a judgement that is alone in its family."""
    adjusted = judge_family([hypothesis], {hypothesis.id: judgement}, {hypothesis.id: 1})
    return decide(hypothesis, judgement, adjusted[hypothesis.id])


def test_a_best_level_at_the_edge_of_the_grid_decides_nothing():
    sure = replace(JUDGEMENT, p_supported=1e-9)
    assert decided(HYPOTHESIS, sure)[0] == "SUPPORTED"
    remedy = "the grid of dose must extend to at least 4"
    word, reason = decided(HYPOTHESIS, replace(sure, open_end=remedy))
    assert word == "UNDECIDED"
    assert reason.endswith(f"is not decisive: {remedy}.")


@pytest.mark.parametrize(
    ("per_seed", "word"),
    [((0.5, 0.6), "SUPPORTED"), ((0.4, 0.4), "REFUTED"), ((0.4, 0.6), "UNDECIDED")],
)
def test_a_check_asks_each_seed_and_has_no_p_value(per_seed, word):
    check = replace(HYPOTHESIS, kind="check")
    judgement = replace(JUDGEMENT, per_seed=per_seed, p_supported=None, p_refuted=None)
    assert decided(check, judgement)[0] == word


def test_a_check_counts_in_its_family_without_a_p_value():
    check = replace(JUDGEMENT, p_supported=None, p_refuted=None)
    adjusted = one_verdict(replace(JUDGEMENT, p_supported=0.02), [check])
    assert (adjusted.supported, adjusted.size) == (2 * 2 * 0.02, 2)


def test_seeds_that_are_added_after_a_look_make_it_the_second(medicine):
    project = medicine.project
    run_experiment(medicine.add(DOSE), "laptop", project, workers=1)
    record(project, "toy", "laptop")
    first = judge_all(project)[0]
    more = medicine.edit("toy", "seeds=5", "seeds=6")
    assert judge_all(project)[0].manifest.looks == (5,)
    run_experiment(more, "laptop", project, workers=1)
    second = judge_all(project)[0]
    assert (first.manifest.looks, second.manifest.looks) == ((5,), (5, 6))
    assert second.test == "one-sided: paired t test, Holm over 3, look 2"
    assert second.p_adjusted == pytest.approx(12 * second.p_value)


def test_without_runs_a_hypothesis_is_untested():
    smoke = {"toy": (None, "")}
    (verdict,) = verdicts([HYPOTHESIS], {"toy": ()}, None, smoke)
    assert verdict.label == "… UNTESTED"
    assert verdict.reason == "There are no runs yet."
    assert (verdict.judgement, verdict.scale, verdict.registration.order) == (None, None, "unknown")


def test_a_larger_scale_that_lacks_a_condition_leaves_the_verdict_of_a_smaller_one(medicine):
    two_scales = DOSE.replace(
        '"laptop": Budget({"dose": [1.0, 2.0]}, seeds=5),',
        '"laptop": Budget({"dose": [1.0, 2.0]}, seeds=5),\n'
        '        "gpu": Budget({"dose": [2.0, 4.0]}, seeds=5),',
    )
    toy = medicine.add(two_scales)
    for scale in ("smoke", "laptop", "gpu"):
        run_experiment(toy, scale, medicine.project, workers=1)
    assert {verdict.scale for verdict in judge_all(medicine.project)} == {"laptop"}
    lacking = judge_all(medicine.project, "gpu")[0]
    assert (lacking.word, lacking.scale) == ("UNTESTED", "gpu")


def test_verdicts_follow_the_evidence_there_is(medicine):
    toy = medicine.add(DOSE)
    project = medicine.project
    assert {verdict.word for verdict in judge_all(project)} == {"UNTESTED"}

    run_experiment(toy, "smoke", project, workers=1)
    more, same, much = judge_all(project)
    assert (more.word, same.word, much.word) == ("UNTESTED",) * 3
    assert more.judgement.effect == pytest.approx(1.01)
    assert more.reason.startswith("Only smoke-scale runs exist; they are not evidence. The diff")
    assert more.smoke_agrees is None

    record(project, "toy", "smoke")
    assert smoke_agreement(project, "toy")[0] is True

    run_experiment(toy, "laptop", project, workers=1)
    more, same, much = judge_all(project)
    assert (more.label, same.label) == ("✓ SUPPORTED", "✗ REFUTED")
    assert much.label == "? UNDECIDED"
    assert much.reason.endswith("may lie above 1.02 or below.")
    assert (more.judgement.n, more.scale, more.origin, more.state) == (
        5,
        "laptop",
        "fresh",
        "current",
    )
    assert more.reason == (
        "The difference in score, 1.02 (90% interval 1 to 1.04, n = 5), lies above 0.5."
    )
    assert same.reason.endswith("lies outside, not within ±0.5.")
    assert more.test == "one-sided: paired t test, Holm over 3, look 1"
    assert more.p_value < more.p_adjusted < 0.001
    assert same.p_value < 0.001
    assert 0 < more.detectable < 0.1
    assert {verdict.word for verdict in judge_all(project, "smoke")} == {"UNTESTED"}
    assert more.judgement.sides[0].condition == {"dose": 2.0}
    flat = json_value(more.flat())
    assert (flat["effect"], flat["scale"], flat["n"]) == (more.judgement.effect, "laptop", 5)
    assert flat["p_adjusted"] == more.p_adjusted

    medicine.edit("toy", "0.01 * seed", "0.02 * seed")
    assert judge_all(project)[0].changes == ("run",)
