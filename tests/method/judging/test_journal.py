"""The journal of verdicts: looks, former verdicts, what is wanted."""

from dataclasses import replace
from datetime import date

import pytest

from llmlab.method.errors import LabError
from llmlab.method.judging.journal import (
    NOW,
    Entry,
    Journal,
    read_journal,
    wanted,
    write_journal,
)
from llmlab.method.judging.ledger import Hypothesis

OLD = Entry("H-X-1", "laptop", "aaa", 5, "UNDECIDED", 0.25, None, 0.5, 1, "2026-11-20")
SAME = replace(OLD, table="bbb", seeds=10, word="SUPPORTED")
NEW = replace(SAME, rules=NOW, word="UNDECIDED")
HYPOTHESIS = Hypothesis(
    id="H-X-1",
    question="Q-X",
    experiment="toy",
    title="X",
    statement="X.",
    reason="Y.",
    metric="score",
    claim="greater",
    family="x",
    registered=date(2026, 1, 31),
)


def test_a_journal_is_read_as_it_was_written(lab):
    journal = Journal((OLD, SAME, NEW))
    write_journal(lab.project, journal)
    assert read_journal(lab.project) == journal


def test_no_journal_is_an_empty_one_and_a_damaged_one_is_refused(lab):
    assert read_journal(lab.project) == Journal()
    write_journal(lab.project, Journal((OLD,)))
    path = lab.project.root / "results" / "verdicts.csv"
    path.write_text(path.read_text().replace("UNDECIDED", "MAYBE"))
    with pytest.raises(LabError, match="is damaged"):
        read_journal(lab.project)


def test_each_table_is_one_look_whatever_the_rules():
    journal = Journal((OLD, SAME, NEW))
    assert journal.looks("H-X-1", "laptop", "bbb", 10) == (5, 10)
    assert journal.looks("H-X-1", "laptop", "ccc", 10) == (5, 10, 10)
    assert journal.looks("H-X-1", "gpu", "bbb", 10) == (10,)


def test_former_verdicts_are_all_but_the_present_one():
    assert Journal((OLD, SAME, NEW)).former("H-X-1", "laptop", "bbb") == (OLD, SAME)


def test_only_what_is_new_is_entered():
    journal = Journal((OLD,)).with_new([replace(OLD, date="2026-12-01"), SAME])
    assert journal.entries == (OLD, SAME)


def test_new_rules_enter_only_the_verdicts_that_they_change():
    kept, changed = replace(OLD, rules=NOW), NEW
    assert Journal((OLD, SAME)).with_new([kept, changed]).entries == (OLD, SAME, changed)


def test_undecided_hypotheses_are_wanted_more_and_checks_not_at_all():
    other = replace(HYPOTHESIS, id="H-X-2")
    check = replace(HYPOTHESIS, id="H-X-3", kind="check")
    decided = replace(SAME, hypothesis="H-X-2")
    journal = Journal((OLD, decided))
    assert wanted([HYPOTHESIS, other, check], journal) == {"toy": 3.0}
    assert wanted([check], journal) == {}
