from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llmlab.finetune.model.base_model import new_base_model, save_base_model
from llmlab.method.declare.experiment import Experiment, Trial
from llmlab.method.environment import CACHE_DIR
from tests.experiments import sleep_folders


@pytest.fixture
def untrained_base(tmp_path: Path) -> Path:
    """The files that `base_model` leaves behind, of a tiny model that knows nothing."""
    save_base_model(new_base_model(d_model=16, n_layers=1, n_heads=2, context=32, seed=0), tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def sleep_needs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What experiments on many adapters need, made once."""
    return sleep_folders.sleep_needs(tmp_path_factory.mktemp("sleep"))


@pytest.fixture(scope="module")
def brief_trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Trial]]:
    """Makes a trial of an experiment's smoke budget, on less text in smaller batches.

    Changes go to the condition where it has such an axis, else to the settings. The trials of a
    module share a cache of texts and tokens.
    """
    folder = tmp_path_factory.mktemp("trials")
    brief = {"steps": 50, "corpus_bytes": 30_000, "batch_size": 4, "validation_bytes": 2000}

    def make(experiment: Experiment, **changes: object) -> Trial:
        budget = experiment.budgets["smoke"]
        condition = {axis: values[0] for axis, values in budget.conditions.items()}
        settings = dict(budget.settings)
        for given in (brief, changes):
            for name, value in given.items():
                if name in condition:
                    condition[name] = value
                elif name in settings:
                    settings[name] = value
        return Trial(experiment.name, "smoke", condition, 0, settings, {}, folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_DIR, str(folder))
        yield make
