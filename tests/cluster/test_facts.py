import pandas as pd
import pytest

from llmlab.cluster.facts import (
    INTERRUPTIONS,
    MLPERF_STEPS,
    RUNS,
    SINGLE_NODE_RUNS,
    fact_table,
)
from llmlab.method.environment import DATA_DIR

MLPERF_RUNS = "mlperf_runs.csv"
TABLES = (RUNS, SINGLE_NODE_RUNS, INTERRUPTIONS, MLPERF_RUNS)


@pytest.fixture(autouse=True)
def packaged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA_DIR, raising=False)


def test_every_fact_has_its_source_and_every_source_a_fact() -> None:
    used = pd.concat([fact_table(name)["source"] for name in TABLES])
    assert set(used) == set(fact_table("sources.csv")["key"])


def test_every_run_of_mlperf_says_where_its_log_is() -> None:
    runs = fact_table(MLPERF_RUNS)
    assert set(fact_table(MLPERF_STEPS)["run"]) == set(runs["run"])
    assert runs["path"].notna().all()
