"""Judgements kept from one process for the next: the same, or made anew."""

from dataclasses import replace
from pathlib import Path

import pytest

from llmlab.method.errors import LabError
from llmlab.method.evidence.lookup import Evidence, recorded_evidence
from llmlab.method.evidence.manifest import MANIFEST
from llmlab.method.evidence.tables import RUNS
from llmlab.method.judging import remembered
from llmlab.method.judging.case import NoJudgement
from llmlab.method.judging.ledger import Hypothesis
from llmlab.method.judging.ledger_files import load_ledger
from llmlab.method.judging.remembered import Judge, judge_evidence
from llmlab.method.project import Project

BOOK = Project(Path(__file__).parents[3])


@pytest.fixture(scope="module")
def hypotheses() -> dict[str, Hypothesis]:
    return {each.id: each for each in load_ledger(BOOK).hypotheses}


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return recorded_evidence(BOOK, "learning_rate", "laptop")


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    return Judge(tmp_path / "judgements")


@pytest.fixture
def copied(evidence: Evidence, tmp_path: Path) -> Evidence:
    """The evidence in a folder of its own, which may be damaged."""
    for name in (RUNS, MANIFEST):
        (tmp_path / name).write_bytes((evidence.folder / name).read_bytes())
    return replace(evidence, folder=tmp_path)


def only_remembers(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("judged anew")

    monkeypatch.setattr(remembered, "judge", refuse)


@pytest.mark.parametrize("hypothesis", ["H-LR-1", "H-LR-4", "H-LR-5", "H-LR-6"])
def test_what_is_remembered_is_what_was_judged(
    hypotheses, evidence, judge, monkeypatch, hypothesis: str
) -> None:
    made = judge(hypotheses[hypothesis], evidence)
    only_remembers(monkeypatch)
    known = judge(hypotheses[hypothesis], evidence)
    assert repr(known) == repr(made) == repr(known)
    assert {type(seed) for side in known.sides for seed in side.values} == {int}


def test_why_nothing_can_be_said_is_remembered(hypotheses, judge, monkeypatch) -> None:
    smoke = recorded_evidence(BOOK, "learning_rate", "smoke")
    made = judge(hypotheses["H-LR-2"], smoke)
    only_remembers(monkeypatch)
    assert judge(hypotheses["H-LR-2"], smoke) == made
    assert isinstance(made, NoJudgement)


@pytest.mark.parametrize("changed", ["hypothesis", "code", "design"])
def test_another_question_is_judged_anew(
    hypotheses, evidence, judge, monkeypatch, changed: str
) -> None:
    hypothesis = hypotheses["H-LR-1"]
    judge(hypothesis, evidence)
    only_remembers(monkeypatch)
    if changed == "hypothesis":
        hypothesis = replace(hypothesis, margin=hypothesis.margin * 2)
    elif changed == "design":
        other, *metrics = evidence.experiment.metrics
        other = replace(other, unit="other")
        evidence = replace(
            evidence, experiment=replace(evidence.experiment, metrics=(other, *metrics))
        )
    else:
        monkeypatch.setattr(remembered, "code_digest", lambda: "of other code")
    with pytest.raises(AssertionError, match="judged anew"):
        judge(hypothesis, evidence)


@pytest.mark.parametrize("damage", [b"", b"{", b'{"effect": "large"}', b"\xff", b"[" * 10_000])
def test_a_damaged_memory_is_made_anew(hypotheses, evidence, judge, damage: bytes) -> None:
    made = judge(hypotheses["H-LR-1"], evidence)
    (kept,) = judge.folder.iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(damage)
    assert repr(judge(hypotheses["H-LR-1"], evidence)) == repr(made)
    assert kept.read_bytes() == whole


def test_a_damaged_table_is_never_judged_from_memory(hypotheses, copied, judge) -> None:
    judge(hypotheses["H-LR-1"], copied)
    with (copied.folder / RUNS).open("ab") as table:
        table.write(b"\n")
    with pytest.raises(LabError, match=r"runs\.csv was cut short or edited"):
        judge(hypotheses["H-LR-1"], copied)


def test_without_a_place_to_keep_it_a_judgement_is_made(hypotheses, evidence, tmp_path) -> None:
    (tmp_path / "taken").write_text("a file where the folder would be")
    made = Judge(tmp_path / "taken")(hypotheses["H-LR-1"], evidence)
    assert repr(made) == repr(judge_evidence(hypotheses["H-LR-1"], evidence))
