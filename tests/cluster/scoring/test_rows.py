from pathlib import Path

import pytest

from llmlab.cluster.facts import RUNS, fact_file
from llmlab.cluster.physics.coefficients import calibrated
from llmlab.cluster.scoring.rows import published
from llmlab.cluster.scoring.score import (
    Scored,
    attainable_rank_correlation,
    lowest_error,
    rank_correlation,
    score,
    score_runs,
)
from llmlab.cluster.scoring.tables import read_runs
from llmlab.method.errors import LabError


def test_the_packaged_runs_are_predicted_within_a_tenth() -> None:
    runs, skipped = read_runs(fact_file(RUNS))
    found = score(score_runs(runs, calibrated()), skipped)
    assert found.overall.rows + len(found.skipped) == 478
    assert found.by_source["vtrain_multi"].mean_absolute_error < 0.10
    assert found.dense_16bit.median_absolute_error < 0.10


def test_no_prediction_from_the_plan_alone_suits_two_times_of_one_plan() -> None:
    runs = [published(RUN | {"step_time_s": time}, 2) for time in ("2.0", "2.5")]
    assert lowest_error(runs) == pytest.approx((2.5 - 2.0) / 2.5 / 2)


def test_errors_that_follow_the_layout_can_be_mended_and_others_cannot() -> None:
    runs = [
        published(RUN | {"tp": tp, "step_time_s": f"{seconds}"}, 2)
        for tp in ("1", "2", "4", "8")
        for seconds in (2.0 * float(tp), 2.1 * float(tp))
    ]
    reversed_by_tp = [Scored(run, run.observed / run.plan.tp**2) for run in runs]
    assert rank_correlation(reversed_by_tp) < -0.8
    assert attainable_rank_correlation(reversed_by_tp) == pytest.approx(1)
    half = [Scored(run, run.observed * (1 + line % 2)) for line, run in enumerate(runs)]
    assert attainable_rank_correlation(half) < 0.95


def test_a_row_that_lacks_something_is_named(tmp_path: Path) -> None:
    table = tmp_path / "runs.csv"
    head = "source,model,layers,d_model,heads,gpus,gpu_type,seq_len_tokens,"
    head += "global_batch_sequences,step_time_s\n"
    good, bad = "s,m,12,768,12,8,A100,1024,64,1.0\n", "s,m,12,768,12,8,Z9,1024,64,1.0\n"
    table.write_text(head + good + bad + "s,m,12,768,12,-8,A100,1024,64,1.0\n", encoding="utf-8")
    runs, skipped = read_runs(table)
    assert len(runs) == 1
    assert "gpu_type Z9" in skipped[0].reason
    assert "gpus" in skipped[1].reason


RUN = {
    "model": "Llama 3.1 8B",
    "gpus": "64",
    "gpu_type": "H100",
    "seq_len_tokens": "8192",
    "global_batch_sequences": "128",
    "micro_batch": "2",
    "fsdp": "1",
    "recompute": "selective",
    "precision": "bf16",
    "step_time_s": "2.5",
    "note": "FSDP + torch.compile",
}


@pytest.mark.parametrize(
    "cells",
    [
        {"gpu_type": "nvidia h100 80gb hbm3", "precision": "BF16", "recompute": "Selective (op)"},
        {"seq_len_tokens": "8,192", "gpus": " 64.0 ", "fsdp": "True"},
        {"tp": "n/a", "pp": "-", "cp": "None", "dp": "64", "task": "NA", "interleave": "unknown"},
        {"recompute": ""},
    ],
)
def test_a_run_may_be_written_in_several_ways(cells: dict[str, str]) -> None:
    assert published(RUN | cells, 2).plan == published(RUN, 2).plan


@pytest.mark.parametrize(
    ("cells", "plan"),
    [
        ({}, {"recompute": "operations", "bits": 16, "async_tensor": False}),
        ({"recompute": "full AC"}, {"recompute": "full", "early_stop": True}),
        ({"pytorch": "2.1.0+cu121"}, {"early_stop": True}),
        ({"pytorch": "1.13.1"}, {"early_stop": False}),
        (
            {"fsdp": "0"},
            {"recompute": "selective", "software": "fused", "early_stop": False},
        ),
        ({"fsdp": "0", "recompute": "unknown"}, {"recompute": "none"}),
        ({"precision": "float8 rowwise"}, {"bits": 8}),
        ({"tp": "8", "note": "compile, Async TP"}, {"async_tensor": True}),
        ({"task": "LoRA"}, {"adapters": True}),
    ],
)
def test_a_row_says_what_its_software_does(cells: dict[str, str], plan: dict[str, object]) -> None:
    found = published(RUN | cells, 2).plan
    assert {name: getattr(found, name) for name in plan} == plan


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"dp": "32"}, "dp is 32, and tp, pp and cp leave 64 of 64 gpus"),
        ({"micro_batch": "4"}, "64 micro-batches of 4 exceed the global batch"),
        ({"gpus": "n/a"}, "no gpus"),
        ({"step_time_s": "1e30"}, "step_time_s is '1e30'"),
        ({"step_time_s": "nan"}, "no step_time_s and no tokens_per_s_per_gpu"),
        ({"pytorch": "nightly"}, "pytorch is 'nightly'"),
        ({"gpu_type": "Z9"}, "gpu_type Z9 is not in the catalogue"),
    ],
)
def test_a_row_that_cannot_be_meant_is_skipped_with_its_reason(
    cells: dict[str, str], reason: str
) -> None:
    assert published(RUN | cells, 2).reason == reason


def test_a_file_without_a_column_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "runs.csv"
    table.write_text("model\nx\n", encoding="utf-8")
    with pytest.raises(LabError, match="has no column gpus"):
        read_runs(table)
