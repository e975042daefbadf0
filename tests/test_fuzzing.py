"""The harness itself: a check that cannot fail would hide every fault."""

import json
import random

import pytest
from fuzzing import ROUNDS, assert_survives, mutated_bytes, mutated_json, mutated_lines

from llmlab.method.errors import LabError

DOCUMENT = {"a": [1, {"b": 2.5}], "c": "text"}


def test_a_traceback_fails_and_names_its_seed() -> None:
    with pytest.raises(AssertionError, match=r"seed \d+: KeyError at"):
        assert_survives(lambda content: {}[content], lambda draw: b"x")


def test_a_sentence_of_two_lines_fails() -> None:
    def read(content: bytes) -> None:
        raise LabError("one\ntwo")

    with pytest.raises(AssertionError, match="more than one line"):
        assert_survives(read, lambda draw: b"x")


def test_success_and_a_sentence_pass() -> None:
    def read(content: bytes) -> None:
        if content == b"bad":
            raise LabError("this is bad: mend it.")

    n_read = assert_survives(read, lambda draw: draw.choice((b"bad", b"good")))
    assert 0 < n_read < ROUNDS


@pytest.mark.parametrize(
    "make",
    [
        lambda draw: mutated_bytes(b"some content", draw),
        lambda draw: mutated_json(DOCUMENT, draw),
        lambda draw: mutated_lines([DOCUMENT, [1, 2]], draw),
    ],
)
def test_inputs_differ_and_come_back_for_their_seed(make) -> None:
    inputs = [make(random.Random(seed)) for seed in range(100)]
    assert len(set(inputs)) > 50
    assert inputs == [make(random.Random(seed)) for seed in range(100)]


def test_most_documents_stay_json() -> None:
    def is_json(content: bytes) -> bool:
        try:
            json.loads(content)
        except (ValueError, RecursionError):
            return False
        return True

    documents = [mutated_json(DOCUMENT, random.Random(seed)) for seed in range(300)]
    assert sum(map(is_json, documents)) > 200
    assert b"hole" not in b"".join(documents)
