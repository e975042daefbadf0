from pathlib import Path

import pandas as pd
import pytest

from llmlab.book.numbers import deviation
from llmlab.cluster.scoring.held_out import comparable_runs, dense_models
from llmlab.cluster.scoring.rows import Published
from llmlab.experiments import cluster_prediction
from llmlab.experiments.cluster_prediction import EXPERIMENT, PREDICTORS
from llmlab.method.declare.experiment import Outcome, Trial

RUNS = comparable_runs()
ROOT = Path(__file__).parents[2]
RECORDED = ROOT / "results" / "laptop" / EXPERIMENT.name


@pytest.fixture(autouse=True)
def few_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A calibration on a sixth of the published runs is fast."""
    runs: list[Published] = RUNS[::6]
    monkeypatch.setattr(cluster_prediction, "comparable_runs", lambda: runs)


def outcome_of(predictor: str, folder: Path, seed: int = 0) -> Outcome:
    settings = EXPERIMENT.budgets["smoke"].settings
    condition = {"predictor": predictor}
    return EXPERIMENT.run(Trial(EXPERIMENT.name, "smoke", condition, seed, settings, {}, folder))


@pytest.mark.parametrize("predictor", PREDICTORS)
def test_a_run_fills_every_column(tmp_path: Path, predictor: str) -> None:
    outcome = outcome_of(predictor, tmp_path)
    assert set(outcome.metrics) == {metric.name for metric in EXPERIMENT.metrics}
    assert set(outcome.curves) == {curve.name for curve in EXPERIMENT.curves}


def test_a_seed_is_a_model(tmp_path: Path) -> None:
    lines = [
        {line for line, _ in outcome_of("uncalibrated", tmp_path, seed).curves["error"]}
        for seed in (0, 1)
    ]
    assert all(lines)
    assert not lines[0] & lines[1]


def test_there_are_as_many_models_as_seeds() -> None:
    assert EXPERIMENT.budgets["laptop"].seeds <= len(dense_models(RUNS))


def test_what_is_predicted_is_not_learnt_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[set[int], set[int]]] = []

    def spy(others: list[Published], held_out: list[Published]) -> list[float]:
        seen.append(({id(one) for one in others}, {id(one) for one in held_out}))
        return [one.observed for one in held_out]

    monkeypatch.setattr(cluster_prediction, "constant_mfu", spy)
    metrics = outcome_of("constant MFU", tmp_path).metrics
    ((others, held_out),) = seen
    assert held_out
    assert not others & held_out
    assert metrics["mean_absolute_error"] == 0


@pytest.mark.parametrize(
    ("source", "called"),
    [
        ("vtrain_multi", "vTrain, several nodes"),
        ("mpt_llm_foundry", "MPT, LLM Foundry"),
        ("korthikanti2022_table5", "Megatron-LM (arXiv:2205.05198)"),
        ("torchtitan_benchmarks", "torchtitan"),
        ("", "all, with TinyLlama"),
    ],
)
def test_the_readme_says_what_is_recorded(source: str, called: str) -> None:
    sources = {one.row.line: one.source for one in RUNS}
    runs = pd.read_csv(RECORDED / "runs.csv")
    each = pd.read_parquet(RECORDED / "curves.parquet").merge(runs[["run_id", "predictor"]])
    each = each[each["step"].map(sources).str.startswith(source)]
    ours, flat = (
        each.loc[each["predictor"] == name, "value"] for name in ("simulator", "constant MFU")
    )
    errors = (ours.abs().mean(), ours.abs().median())
    cells = [
        called,
        f"{len(ours)}",
        *(f"{100 * error:.1f} %" for error in errors),
        deviation(ours.mean()).replace("\u2212", "-"),
        f"{100 * flat.abs().mean():.1f} %",
    ]
    assert f"| {' | '.join(cells)} |" in (ROOT / "README.md").read_text(encoding="utf-8")
