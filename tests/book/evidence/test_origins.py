"""Machines in words."""

import pytest

from llmlab.book.evidence import origins


@pytest.mark.parametrize(
    ("device", "text"),
    [
        ("NVIDIA H200", "NVIDIA H200"),
        ("1 x AMD EPYC", "1\N{NO-BREAK SPACE}core of AMD EPYC"),
        ("1 x AMD EPYC + 2 x AMD EPYC", "1 or 2\N{NO-BREAK SPACE}cores of AMD EPYC"),
        (
            "16 x Intel(R) Xeon(R) Processor + 2 x AMD EPYC + 2 x AMD EPYC",
            "16\N{NO-BREAK SPACE}cores of Intel Xeon and 2\N{NO-BREAK SPACE}cores of AMD EPYC",
        ),
    ],
)
def test_machines_are_told_each_once(device, text):
    assert origins.hardware(device) == text


def test_kinds_of_processor_are_told_without_their_cores():
    found = origins.processors(["1 x AMD EPYC", "16 x Intel(R) Xeon(R) Processor + 2 x AMD EPYC"])
    assert found == "AMD EPYC, Intel Xeon"
