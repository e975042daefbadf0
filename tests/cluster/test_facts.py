from pathlib import Path

import pandas as pd
import pytest

from llmlab.cluster.facts import (
    INTERRUPTIONS,
    MLPERF_STEPS,
    RUNS,
    SINGLE_NODE_RUNS,
    fact_table,
)
from llmlab.method.declare.catalog import load_experiment
from llmlab.method.environment import DATA_DIR
from llmlab.method.evidence.fingerprint import reached_code

MLPERF_RUNS = "llmlab/cluster/data/mlperf_runs.csv"
SOURCES = "llmlab/cluster/data/sources.csv"
TABLES = (RUNS, SINGLE_NODE_RUNS, INTERRUPTIONS, MLPERF_RUNS)


@pytest.fixture(autouse=True)
def packaged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA_DIR, raising=False)


def test_every_fact_has_its_source_and_every_source_a_fact() -> None:
    used = pd.concat([fact_table(name)["source"] for name in TABLES])
    assert set(used) == set(fact_table(SOURCES)["key"])


def test_every_run_of_mlperf_says_where_its_log_is() -> None:
    runs = fact_table(MLPERF_RUNS)
    assert set(fact_table(MLPERF_STEPS)["run"]) == set(runs["run"])
    assert runs["path"].notna().all()


def test_a_folder_of_the_users_own_facts_comes_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "interruptions.csv").write_text("source,cause\nmine,none\n")
    monkeypatch.setenv(DATA_DIR, str(tmp_path))
    assert fact_table(INTERRUPTIONS)["source"].tolist() == ["mine"]
    assert len(fact_table(RUNS)) > 100


@pytest.mark.parametrize(
    ("experiment", "facts"),
    [
        ("cluster_goodput", {"interruptions.csv"}),
        ("cluster_prediction", {"hardware.toml", "published_runs.csv"}),
        ("cluster_realism", {"mlperf_steps.parquet", "modded_nanogpt_logs.parquet"}),
        ("cluster_scaling", {"hardware.toml", "coefficients.json"}),
    ],
)
def test_the_fingerprint_of_an_experiment_covers_the_facts_that_it_reads(
    experiment: str, facts: set[str]
) -> None:
    assert {path.name for path in reached_code(load_experiment(experiment)).data} == facts
