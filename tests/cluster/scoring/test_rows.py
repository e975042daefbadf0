from pathlib import Path

import pytest

from llmlab.cluster.facts import RUNS, fact_file
from llmlab.cluster.physics.coefficients import calibrated
from llmlab.cluster.scoring.rows import read_published
from llmlab.cluster.scoring.score import score, score_runs
from llmlab.method.errors import LabError


def test_the_packaged_runs_are_predicted_within_a_tenth() -> None:
    runs, skipped = read_published(fact_file(RUNS))
    found = score(score_runs(runs, calibrated()), skipped)
    assert found.overall.rows + len(found.skipped) == 478
    assert found.by_source["vtrain_multi"].mean_absolute_error < 0.10
    assert found.dense_16bit.median_absolute_error < 0.10


def test_a_row_that_lacks_something_is_named(tmp_path: Path) -> None:
    table = tmp_path / "runs.csv"
    head = "source,model,layers,d_model,heads,gpus,gpu_type,seq_len_tokens,"
    head += "global_batch_sequences,step_time_s\n"
    good, bad = "s,m,12,768,12,8,A100,1024,64,1.0\n", "s,m,12,768,12,8,Z9,1024,64,1.0\n"
    table.write_text(head + good + bad + "s,m,12,768,12,-8,A100,1024,64,1.0\n", encoding="utf-8")
    runs, skipped = read_published(table)
    assert len(runs) == 1
    assert "gpu_type Z9" in skipped[0].reason
    assert "gpus" in skipped[1].reason


def test_a_file_without_a_column_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "runs.csv"
    table.write_text("model\nx\n", encoding="utf-8")
    with pytest.raises(LabError, match="has no column gpus"):
        read_published(table)
