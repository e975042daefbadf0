"""What verdicts hold for."""

from pathlib import Path

import pytest

from llmlab.method.declare.catalog import catalog
from llmlab.method.evidence.lookup import recorded_evidence
from llmlab.method.judging.scope import scope_of
from llmlab.method.project import Project

PROJECT = Project(Path(__file__).parents[3])


def test_every_experiment_says_what_its_verdicts_hold_for() -> None:
    assert [one.name for one in catalog().values() if one.subject is None] == []


@pytest.mark.parametrize(
    ("name", "bases"), [("pretraining", 0), ("forgetting", 1), ("sleep_share", 1)]
)
def test_a_base_model_is_what_needs_nothing_itself(name: str, bases: int) -> None:
    """A library of adapters is needed by others and is no base, however many seeds it has."""
    assert scope_of(PROJECT, recorded_evidence(PROJECT, name, "laptop")).base_seeds == bases
