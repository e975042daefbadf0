from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest

from llmlab.book.views.landscapes import draw_paths, draw_planes, path_means
from llmlab.method.declare.experiment import Axis, Budget, Experiment
from llmlab.method.errors import LabError

PLANE = {"kind": "plane", "distances": [-1, 0, 1], "loss": [[3, 2, 4], [2, 1, 2], [5, 2, 3]]}


@dataclass
class Evidence:
    """What `path_means` reads of the evidence: runs and their views."""

    views: dict[str, dict[str, object]]
    scale: str = "smoke"
    experiment: Experiment = field(
        default_factory=lambda: Experiment(
            name="walks",
            title="Walks",
            question="Q-WALK",
            summary="Walks.",
            axes=(Axis("rate", "Rate."),),
            metrics=(),
            budgets={"smoke": Budget({"rate": (0.1, 0.2)}, seeds=2)},
            run=lambda trial: None,
        )
    )

    @property
    def runs(self) -> pd.DataFrame:
        return pd.DataFrame({"run_id": ["a", "b", "c"], "rate": [0.1, 0.1, 0.2], "seed": [0, 1, 0]})


def path(*losses: float) -> dict[str, object]:
    return {"path": {"kind": "path", "shares": [0.0, 0.5, 1.0], "loss": list(losses)}}


@pytest.fixture
def evidence() -> Evidence:
    return Evidence({"a": path(1, 2, 3), "b": path(3, 2, 3)})


def test_a_path_is_the_mean_of_the_seeds_of_its_condition(evidence: Evidence) -> None:
    found = path_means(evidence, "path", "loss", {"rate": 0.1})
    assert found["mean"].tolist() == [2, 2, 3]
    assert found["n"].tolist() == [2, 2, 2]
    assert found["low"][0] < 1
    assert found["low"][2] == found["high"][2] == 3


def test_one_seed_has_no_interval(evidence: Evidence) -> None:
    evidence.views = {"a": path(1, 2, 3)}
    found = path_means(evidence, "path", "loss", {"rate": 0.1})
    assert found["mean"].tolist() == [1, 2, 3]
    assert found["low"].isna().all()


def test_a_condition_without_paths_is_named(evidence: Evidence) -> None:
    with pytest.raises(LabError, match=r"walks at smoke scale with rate = 0\.2 has a path 'path'"):
        path_means(evidence, "path", "loss", {"rate": 0.2})


def test_planes_share_their_colours_and_are_signed() -> None:
    darker = {**PLANE, "loss": (10 * np.array(PLANE["loss"])).tolist()}
    figure = draw_planes({"full": PLANE, "lora": darker}, "nats", "walks, smoke scale")
    full, lora, bar = figure.axes
    assert [axes.get_title(loc="left") for axes in (full, lora)] == ["full", "lora"]
    assert full.collections[0].get_clim() == lora.collections[0].get_clim()
    assert full.collections[0].get_clim() == pytest.approx((1, 50))
    assert bar.get_ylabel() == "loss (nats)"
    assert "walks" in figure.get_supxlabel()


def test_every_path_is_a_line_in_every_panel(evidence: Evidence) -> None:
    found = path_means(evidence, "path", "loss", {"rate": 0.1})
    paths = {name: {"loss": found, "accuracy": found} for name in ("full", "lora")}
    figure = draw_paths(paths, ["loss", "accuracy"], "way (%)", "walks")
    top, bottom = figure.axes
    assert [text.get_text() for text in top.get_legend().get_texts()] == ["full", "lora"]
    assert len(bottom.containers) == 2
    assert bottom.get_xlabel() == "way (%)"


@pytest.mark.parametrize(
    ("plane", "message"),
    [
        ({**PLANE, "loss": [[1, 2], [3, 4]]}, "not a square of 3 distances"),
        ({**PLANE, "loss": [[0, 1, 1]] * 3}, "greater than 0"),
        ({"kind": "plane", "loss": []}, "'distances' is missing"),
        (None, "the plane 'a' is damaged"),
    ],
)
def test_a_damaged_plane_is_one_sentence(plane: object, message: str) -> None:
    with pytest.raises(LabError, match=message):
        draw_planes({"a": plane}, "nats", "footer")


def test_a_damaged_path_is_one_sentence(evidence: Evidence) -> None:
    evidence.views["b"] = {"path": {"kind": "path", "shares": [0.0, 1.0], "loss": [1, 2, 3]}}
    with pytest.raises(
        LabError, match=r"the path 'path' of walks is damaged: .*one value for each"
    ):
        path_means(evidence, "path", "loss", {"rate": 0.1})
