from pathlib import Path

import pytest

from llmlab.cluster.facts import RUNS
from llmlab.cluster.scoring.held_out import comparable_runs
from llmlab.method.environment import DATA_DIR
from llmlab.method.errors import LabError
from llmlab.method.files import packaged

NAME = "published_runs.csv"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own table of runs, which takes the place of the packaged one."""
    monkeypatch.setenv(DATA_DIR, str(tmp_path))
    return tmp_path / NAME


def test_a_table_as_windows_writes_it_holds_the_same_runs(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = packaged(RUNS).read_text(encoding="utf-8-sig")
    own.write_text(text, encoding="utf-8-sig", newline="\r\n")
    found = comparable_runs()
    monkeypatch.delenv(DATA_DIR)
    assert found == comparable_runs()


def test_a_table_in_another_encoding_holds_the_same_plans(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = packaged(RUNS).read_text(encoding="utf-8-sig")
    own.write_text(text.replace("TinyLlama", "Petit Léger"), encoding="latin-1", errors="ignore")
    found = [run.plan for run in comparable_runs()]
    monkeypatch.delenv(DATA_DIR)
    assert len(found) == len(comparable_runs())


def test_what_is_no_table_is_refused_in_one_sentence(own: Path) -> None:
    own.write_text("model,gpus\nTiny,8\n", encoding="utf-16")
    with pytest.raises(LabError, match=f"{NAME} "):
        comparable_runs()
