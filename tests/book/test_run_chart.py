from pathlib import Path

import pytest

from llmlab.book.run_chart import read_losses, run_chart, smoothed
from llmlab.method.errors import LabError
from llmlab.runs.folder import RunFolder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of three steps, one without a loss, that was validated and steered."""
    log = RunFolder(tmp_path / "micro").log
    log.start({"train.steps": 3})
    for step, loss in enumerate((3.0, float("nan"), 2.0)):
        log.append("point", {"step": step, "loss": loss})
    log.append("validation", {"step": 3, "loss": 2.5})
    log.append("steered", {"step": 2, "id": "0" * 16, "action": "pause"})
    return tmp_path / "micro"


def test_the_log_is_read_as_it_stands(run: Path) -> None:
    found = read_losses(run)
    assert (found.steps, found.loss) == ((0, 1, 2), (3.0, None, 2.0))
    assert (found.validation, found.marks) == (((3, 2.5),), ((2, "steered"),))


def test_the_smoothed_loss_has_no_bias() -> None:
    assert smoothed([4.0, 4.0, None, 4.0], 0.9) == [
        pytest.approx(4.0),
        pytest.approx(4.0),
        None,
        pytest.approx(4.0),
    ]
    assert smoothed([1.0, 3.0], 0.5) == [1.0, pytest.approx((0.25 + 1.5) / 0.75)]
    assert smoothed([1.0, 3.0], 0.0) == [1.0, 3.0]


def test_each_run_has_its_lines(run: Path) -> None:
    (axes,) = run_chart(run, run).axes
    assert len(axes.lines) == 2 * 4
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["micro", "micro"]


def test_a_folder_without_a_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no log"):
        run_chart(tmp_path)
