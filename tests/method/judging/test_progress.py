"""States of questions and tracks, computed from files, tables and verdicts."""

from dataclasses import replace
from datetime import date

import pytest

from llmlab.method.evidence.recording import record
from llmlab.method.judging.ledger import Feature, Hypothesis, Ledger, Phase, Question, Track
from llmlab.method.judging.progress import (
    FeatureProgress,
    PhaseProgress,
    progress,
    question_statuses,
)
from llmlab.method.judging.registration import registration
from llmlab.method.judging.verdict import Verdict
from llmlab.method.running.runner import run_experiment

QUESTION = Question(id="Q-A", text="What?", track="t")
HYPOTHESIS = Hypothesis(
    id="H-A-1",
    question="Q-A",
    experiment="toy",
    title="It is",
    statement="It is.",
    reason="Theory.",
    metric="loss",
    claim="greater",
    family="toy",
    registered=date(2026, 1, 31),
)


def verdict(word, hypothesis=HYPOTHESIS):
    unknown = registration(None, hypothesis.id, "toy", None)
    return Verdict(hypothesis=hypothesis, word=word, reason="", registration=unknown)


def ledger(*features, after=(), question=QUESTION, hypotheses=(HYPOTHESIS,)):
    """A ledger with one track of two phases: the features, then one that is planned."""
    later = Feature(title="Later", files=("later.txt",))
    phases = (
        Phase(id="first", title="First", goal="Begin.", features=features),
        Phase(id="second", title="Second", goal="End.", features=(later,), after=("first",)),
    )
    return Ledger((question,), hypotheses, (Track(id="t", title="T", goal="G.", phases=phases),))


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ([], "OPEN"),
        (["UNTESTED", "UNTESTED"], "OPEN"),
        (["SUPPORTED", "UNTESTED"], "EXPLORING"),
        (["SUPPORTED", "UNDECIDED"], "EXPLORING"),
        (["SUPPORTED", "REFUTED"], "ANSWERED"),
    ],
)
def test_the_status_of_a_question_follows_its_verdicts(words, status):
    verdicts = [verdict(word) for word in words]
    assert question_statuses(ledger(), verdicts) == {"Q-A": status}


def test_a_superseded_question_stays_so_whatever_its_verdicts():
    question = replace(QUESTION, superseded_by="Q-A")
    statuses = question_statuses(ledger(question=question), [verdict("SUPPORTED")])
    assert statuses == {"Q-A": "SUPERSEDED"}


def test_a_superseded_hypothesis_no_longer_keeps_its_question_open():
    newer = replace(HYPOTHESIS, id="H-A-2", supersedes="H-A-1")
    both = ledger(hypotheses=(HYPOTHESIS, newer))
    verdicts = [verdict("UNDECIDED"), verdict("SUPPORTED", newer)]
    assert question_statuses(both, verdicts) == {"Q-A": "ANSWERED"}


def first_phase(project, *features, words=()):
    """The progress of features in the first phase, and of the phase."""
    (track,) = progress(project, ledger(*features), [verdict(word) for word in words])
    return track.phases[0]


def test_a_module_is_ready_with_its_tests(lab):
    feature = Feature(title="A model", modules=("llmlab.room.giant",))
    (planned,) = first_phase(lab.project, feature).features
    assert (planned.stage, planned.done) == ("planned", False)
    assert planned.missing == (
        "src/llmlab/room/giant.py is not written",
        "tests/room/test_giant.py is not written",
    )
    for path in ("src/llmlab/room/giant.py", "tests/room/test_giant.py"):
        (lab.root / path).parent.mkdir(parents=True)
        (lab.root / path).write_text("")
    (ready,) = first_phase(lab.project, feature).features
    assert (ready.stage, ready.done) == ("code ready", True)
    other = Feature(title="Another", files=("other.txt",))
    assert first_phase(lab.project, feature, other).state == "under way"


def test_a_question_alone_is_planned_until_it_is_answered(lab):
    feature = Feature(title="An answer", questions=("Q-A",))
    for word, stage in (("UNDECIDED", "planned"), ("REFUTED", "answered")):
        assert first_phase(lab.project, feature, words=[word]).features[0].stage == stage


def test_an_experiment_climbs_from_planned_to_answered(lab):
    feature = Feature(
        title="A result",
        experiments=("toy",),
        questions=("Q-A",),
        chapters=("results/toy.py",),
    )

    def stage(*words):
        return first_phase(lab.project, feature, words=words).features[0].stage

    assert stage() == "planned"
    toy = lab.add()
    assert stage() == "code ready"
    run_experiment(toy, "smoke", lab.project, workers=1)
    assert stage() == "run at smoke"
    run_experiment(toy, "laptop", lab.project, workers=1)
    assert stage("SUPPORTED") == "run at smoke"  # not recorded yet
    record(lab.project, "toy", "laptop")
    assert stage("UNDECIDED") == "recorded at laptop"
    assert stage("SUPPORTED") == "answered"
    (answered,) = first_phase(lab.project, feature, words=["SUPPORTED"]).features
    assert answered.missing == ("chapter results/toy.py is not written",)


def test_a_feature_of_a_gpu_waits_for_its_scale(lab):
    feature = Feature(title="A large run", experiments=("toy",), scale="gpu")
    run_experiment(lab.add(), "laptop", lab.project, workers=1)
    record(lab.project, "toy", "laptop")
    (waiting,) = first_phase(lab.project, feature).features
    assert waiting.stage == "recorded at laptop"
    assert waiting.missing == ("experiment toy is not recorded at gpu",)


def test_a_phase_is_under_way_once_begun_whatever_is_before_it():
    feature = Feature(title="A page", chapters=("page.py",))
    phase = Phase(id="second", title="Second", goal="End.", features=(feature,), after=("first",))
    begun = FeatureProgress(feature, "code ready", ("chapter page.py is not written",))
    assert PhaseProgress(phase, ("first",), (begun,)).state == "under way"


def test_a_phase_waits_until_those_before_it_are_finished(lab):
    feature = Feature(title="A page", chapters=("page.py",))
    (track,) = progress(lab.project, ledger(feature), [])
    first, second = track.phases
    assert (first.state, second.state, second.waits_for) == ("open", "waiting", ("first",))
    (lab.project.chapters / "page.py").write_text("")
    (track,) = progress(lab.project, ledger(feature), [])
    first, second = track.phases
    assert (first.state, second.state, second.waits_for) == ("finished", "open", ())
    assert (track.done, len(track.features)) == (1, 2)
