"""Corrections of p values for the family and for the looks."""

from dataclasses import replace

import pytest
from doses import HYPOTHESIS, JUDGEMENT

from llmlab.method.judging.case import NoJudgement
from llmlab.method.judging.corrections import corrected


def adjusted(judgement, others=(), looks=1):
    """The corrected p values of a judgement in a family with others."""
    family = [replace(HYPOTHESIS, id=f"H-DOSE-{n}") for n in range(1, 2 + len(others))]
    judged = dict(zip([h.id for h in family], [judgement, *others], strict=True))
    return corrected(family, judged, dict.fromkeys(judged, looks))["H-DOSE-1"]


def test_holm_corrects_each_direction_over_the_family():
    judgement = replace(JUDGEMENT, p_supported=0.02, p_refuted=0.9)
    assert adjusted(judgement).supported == 2 * 0.02
    other = replace(JUDGEMENT, p_supported=0.03)
    assert adjusted(judgement, [other]).supported == pytest.approx(2 * 0.04)


def test_what_was_not_tested_still_counts_in_the_family():
    judgement = replace(JUDGEMENT, p_supported=0.02)
    untested = NoJudgement("UNTESTED", "There are no runs yet.")
    found = adjusted(judgement, [untested] * 3)
    assert (found.supported, found.size) == (pytest.approx(2 * 0.08), 4)


def test_families_do_not_touch_each_other():
    others = [replace(HYPOTHESIS, id="H-X", family="other")]
    judged = {"H-DOSE-1": JUDGEMENT, "H-X": JUDGEMENT}
    assert corrected([HYPOTHESIS, *others], judged, dict.fromkeys(judged, 1))["H-DOSE-1"].size == 1


def test_each_look_has_half_of_the_alpha_that_is_left():
    judgement = replace(JUDGEMENT, p_supported=0.02, p_refuted=0.9)
    first, second = (adjusted(judgement, looks=looks) for looks in (1, 2))
    assert (first.supported, second.supported) == (0.04, 0.08)
    assert (second.refuted, second.looks) == (1.0, 2)


def test_a_check_counts_in_its_family_without_a_p_value():
    check = replace(JUDGEMENT, p_supported=None, p_refuted=None)
    found = adjusted(replace(JUDGEMENT, p_supported=0.02), [check])
    assert (found.supported, found.size) == (2 * 2 * 0.02, 2)
