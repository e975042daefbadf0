from pathlib import Path

import pytest

from llmlab.cluster.scoring.rows import Skipped
from llmlab.cluster.scoring.tables import read_runs
from llmlab.method.errors import LabError

HEADER = "model,gpus,gpu_type,seq_len_tokens,global_batch_sequences,step_time_s"
ROW = "Llama 3.1 8B,64,H100,8192,128,5.5"


def found(folder: Path, *lines: str) -> tuple[list[float], list[Skipped]]:
    """The observed times of the runs in a file of these lines, and the skipped rows."""
    path = folder / "runs.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    runs, skipped = read_runs(path)
    assert all(run.row.gpus == 64 and run.row.seq_len_tokens == 8192 for run in runs)
    return [run.observed for run in runs], skipped


@pytest.mark.parametrize(
    "lines",
    [
        (HEADER, ROW),
        (HEADER.upper(), ROW),
        ("# speeds", HEADER, ROW, "", ",,,,,"),
        ("Model,#GPUs,GPU,Seq. len,Global batch size,Step time (s)", ROW),
        ("model_name,num_gpus,gpu_name,seq_length,gbs,step_time_ms", ROW[:-3] + "5500"),
        ("model_name,num_gpus,gpu_name,seq_length,gbs,step_time_ms", ROW[:-3] + '"5,500"'),
        (HEADER.replace(",", "\t"), ROW.replace(",", "\t")),
        (HEADER.replace(",", ";"), "Llama 3.1 8B;64;H100;8.192;128;5,5"),
        (HEADER, 'Llama 3.1 8B,64,H100,8192,128,"5,5"'),
        (HEADER, 'Llama 3.1 8B,64,H100,"8,192",128,5.5'),
        (f"{HEADER},gpu", f"{ROW},another"),
        (HEADER, f"{ROW},,"),
    ],
)
def test_a_table_is_read_as_others_write_it(tmp_path: Path, lines: tuple[str, ...]) -> None:
    assert found(tmp_path, *lines) == ([5.5], [])


def test_rows_that_are_too_long_are_named_by_their_line(tmp_path: Path) -> None:
    unquoted = "Llama 3.1 8B,64,H100,8192,1,024,5.5"
    observed, skipped = found(tmp_path, HEADER, ROW, "", unquoted)
    assert observed == [5.5]
    assert skipped == [Skipped("line 4", "unnamed", "7 cells, and the header has 6")]


def test_a_step_time_that_is_no_number_is_named(tmp_path: Path) -> None:
    header = HEADER.replace("step_time_s", "step_time_ms")
    _, skipped = found(tmp_path, header, ROW[:-3] + "fast", ROW[:-3] + "n/a")
    assert [one.reason for one in skipped] == [
        "step_time_s is 'fast'",
        "no step_time_s and no tokens_per_s_per_gpu",
    ]


@pytest.mark.parametrize("name", ["gpus", "step_time_s"])
def test_a_column_that_is_there_twice_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(LabError, match=f"has two columns for {name}"):
        found(tmp_path, f"{name},{HEADER}", f"8,{ROW}")


def test_a_column_that_is_missing_is_named_with_those_there(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"no column gpu_type \(found model, gpus"):
        found(tmp_path, HEADER.replace("gpu_type", "card"), ROW)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="is empty"):
        found(tmp_path, "")
