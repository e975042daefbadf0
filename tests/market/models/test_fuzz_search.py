"""Damaged journals of a search: continued, or refused in a sentence."""

import json
import random
from pathlib import Path

import pytest
from fuzzing import ROUNDS, assert_survives, mutated_bytes, mutated_lines, overwrite
from optuna.trial import TrialState

from llmlab.market.models.architecture import Architecture
from llmlab.market.models.search import FINISHED, JOURNAL, Space, _open
from llmlab.market.models.search_log import SearchLog
from llmlab.market.models.training import Training
from llmlab.runs.folder import RunFolder

ASK = {"budget": 1000}
SPACE = Space.of(Architecture(n_features=3, look_back=8), 1000, Training(epochs=3))


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Of a search with a finished trial, a pruned one and one that was cut short."""
    folder = tmp_path_factory.mktemp("search")
    study = _open(folder, ASK, SPACE)
    for state in (*FINISHED, None):
        trial = study.ask()
        SPACE.draw(trial)
        trial.report(0.7, 1)
        if state:
            study.tell(trial, 0.6 if state == TrialState.COMPLETE else None, state)
    return (folder / JOURNAL).read_bytes()


@pytest.mark.parametrize("kind", ["bytes", "values"])
def test_fuzz_journals(kind: str, journal: bytes, tmp_path: Path) -> None:
    documents = [json.loads(line) for line in journal.splitlines()]

    def make(draw: random.Random) -> bytes:
        return mutated_bytes(journal, draw) if kind == "bytes" else mutated_lines(documents, draw)

    def read(content: bytes) -> None:
        overwrite(tmp_path / JOURNAL, content)
        study = _open(tmp_path, ASK, SPACE)
        SearchLog(RunFolder(tmp_path).log).start(1, study.trials)

    assert assert_survives(read, make, ROUNDS // 6) > 0
