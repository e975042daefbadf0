import numpy as np
import pytest

from llmlab.cluster.wear.causes import llama3_causes
from llmlab.cluster.wear.checkpoints import Wear, daly, goodput, young
from llmlab.cluster.wear.runs import draw_gaps, run_through

WEAR = Wear(between=10_000.0, save=30.0, restart=600.0)


def test_llama3_was_interrupted_466_times() -> None:
    assert sum(cause.count for cause in llama3_causes()) == 466


def test_drawn_runs_keep_what_the_closed_form_says() -> None:
    gaps = draw_gaps(WEAR, 3e8, np.random.default_rng(0))
    kept = run_through(gaps, WEAR, young(WEAR)).useful
    assert kept == pytest.approx(goodput(WEAR, young(WEAR)), abs=0.01)


def test_young_and_daly_agree_where_saving_is_cheap() -> None:
    assert daly(WEAR) == pytest.approx(young(WEAR), rel=0.05)
