"""The coefficients that the package carries can be made anew."""

import json
from collections import Counter

from llmlab.cluster.physics.coefficients import FILE, Coefficients, to_json
from llmlab.cluster.scoring.calibration import calibrate
from llmlab.cluster.scoring.refit import calibration_rows
from llmlab.method.files import packaged

CARRIED = json.loads(packaged(FILE).read_text(encoding="utf-8"))


def test_the_carried_coefficients_were_fitted_to_these_rows() -> None:
    assert dict(Counter(row.source for row in calibration_rows())) == CARRIED["fitted_on"]


def test_a_fit_made_twice_is_the_same_text() -> None:
    rows = calibration_rows()[::60]
    texts = [to_json(calibrate(rows, rounds=2), {}) for _ in range(2)]
    assert texts[0] == texts[1]
    assert Coefficients(**json.loads(texts[0])["coefficients"]) != Coefficients()
