"""Verdicts from real tables: words, correction, smoke runs, provenance."""

import pytest
from doses import HYPOTHESIS

from llmlab.method.evidence.recording import record
from llmlab.method.json_values import json_value
from llmlab.method.judging.verdicts import judge_all, smoke_agreement, verdicts
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


@pytest.fixture
def medicine(lab):
    """A lab with a ledger and its experiment, not yet run."""
    for name, text in LEDGER.items():
        (lab.project.ledger / name).write_text(text)
    return lab


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
