import errno
from pathlib import Path

import optuna
import pandas as pd
import pytest
from optuna.trial import TrialState

from llmlab.market.models import search as module
from llmlab.market.models.architecture import TOLERANCE, Architecture
from llmlab.market.models.search import TRIALS, Space, n_finished, search
from llmlab.market.models.search_log import BEST, CURVE, LOSS
from llmlab.market.models.training import Training
from llmlab.method.errors import LabError
from llmlab.runs.folder import RunFolder

BASE, BUDGET = Architecture(n_features=3, look_back=8), 1000
ASKED = {"budget": BUDGET, "seed": 0}


@pytest.fixture(scope="module")
def space() -> Space:
    return Space.of(BASE, BUDGET, Training(epochs=3))


def run(parts, space: Space, folder: Path, n: int, **options) -> optuna.Study:
    return search(parts.without_test(), space, folder, {**ASKED, **options}, n)


def losses(study: optuna.Study) -> list[float]:
    return [trial.value for trial in study.trials if trial.state == TrialState.COMPLETE]


def test_every_shape_of_the_space_meets_the_budget(space: Space) -> None:
    counts = [shape.n_parameters for shape in space.shapes.values()]
    assert len({shape.patch for shape in space.shapes.values()}) > 1
    assert max(abs(count - BUDGET) for count in counts) <= TOLERANCE * BUDGET


def test_a_search_that_goes_on_finds_what_one_in_one_piece_finds(
    draw_parts, space: Space, tmp_path: Path
) -> None:
    parts = draw_parts(1.0)
    run(parts, space, tmp_path / "two", 1)
    resumed = run(parts, space, tmp_path / "two", 2)
    assert losses(resumed) == losses(run(parts, space, tmp_path / "one", 2))
    assert len(pd.read_csv(tmp_path / "two" / TRIALS)) == 2


def test_a_search_is_logged_for_live_views(draw_parts, space: Space, tmp_path: Path) -> None:
    parts = draw_parts(1.0)
    run(parts, space, tmp_path, 1).ask()  # left running
    study = run(parts, space, tmp_path, 2)
    start, *trials = RunFolder(tmp_path).log.events()
    assert start.model_extra["trials"] == 2
    assert [one.model_extra["run_id"] for one in trials] == [
        "trial 0, finished",
        "trial 2, finished",
    ]
    first, second = (one.model_extra["curves"] for one in trials)
    assert second[LOSS] == [[2, study.trials[2].value]]
    assert second[BEST] == [*first[BEST], [2, study.best_value]]
    assert [epoch for epoch, _ in first[CURVE]] == [0, 1, 2, 3]


def test_a_trial_that_a_kill_cut_short_is_made_up_for(
    draw_parts, space: Space, tmp_path: Path
) -> None:
    parts = draw_parts(1.0)
    run(parts, space, tmp_path, 1).ask()  # left running
    study = run(parts, space, tmp_path, 2)
    states = [trial.state for trial in study.trials]
    assert states == [TrialState.COMPLETE, TrialState.FAIL, TrialState.COMPLETE]
    assert n_finished(study) == 2


def test_a_search_of_another_space_is_refused(draw_parts, space: Space, tmp_path: Path) -> None:
    run(draw_parts(1.0), space, tmp_path, 1)
    with pytest.raises(LabError, match=r"another space \(budget differ"):
        run(draw_parts(1.0), space, tmp_path, 1, budget=2000)


def test_what_lags_behind_is_pruned(
    draw_parts, space: Space, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WARM_UP_TRIALS", 1)
    monkeypatch.setattr(module, "WARM_UP_EPOCHS", 1)
    study = run(draw_parts(2.0), space, tmp_path, 5)
    assert TrialState.PRUNED in [trial.state for trial in study.trials]


def test_the_best_trial_is_read_back(draw_parts, space: Space, tmp_path: Path) -> None:
    study = run(draw_parts(1.0), space, tmp_path, 1)
    shape, training = space.read(study.best_trial)
    assert shape in space.shapes.values()
    assert training.batch_size == study.best_trial.params["batch_size"]


def test_a_search_that_a_full_disk_stopped_goes_on(
    draw_parts, space: Space, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> float:
        raise OSError(errno.ENOSPC, "No space left on device")

    parts = draw_parts(1.0)
    with monkeypatch.context() as patch:
        patch.setattr(module, "_try", full)
        with pytest.raises(LabError, match=r"cannot write .*journal\.log: No space left"):
            run(parts, space, tmp_path, 1)
    with (tmp_path / module.JOURNAL).open("ab") as journal:
        journal.write(b'{"op_code":4,"wor')
    assert len(losses(run(parts, space, tmp_path, 1))) == 1
