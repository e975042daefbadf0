"""Read a table of runs, ours or as other people write it: cells by the names of our columns."""

import re
from collections.abc import Sequence
from pathlib import Path

from llmlab.cluster.scoring.rows import Published, Row, Skipped, published
from llmlab.method.delimited import rows_of
from llmlab.method.documents import listed
from llmlab.method.errors import LabError
from llmlab.method.files import read_text

NEEDED = ("model", "gpus", "gpu_type", "seq_len_tokens", "global_batch_sequences")
MILLISECONDS = "step_time_ms"
OTHER_NAMES = {
    "model": ("model_name", "model_id"),
    "params_billion": ("params_b", "parameters_b", "billion_parameters"),
    "seq_len_tokens": ("seq_len", "seq_length", "sequence_length", "context_length"),
    "global_batch_sequences": ("global_batch", "global_batch_size", "gbs"),
    "micro_batch": ("micro_batch_size", "mbs"),
    "gpus": ("n_gpus", "num_gpus", "gpu_count", "number_of_gpus", "world_size"),
    "gpu_type": ("gpu", "gpu_name", "gpu_model", "accelerator", "hardware"),
    "tp": ("tensor_parallel_size", "tensor_model_parallel_size"),
    "pp": ("pipeline_parallel_size", "pipeline_model_parallel_size"),
    "cp": ("context_parallel_size",),
    "ep": ("expert_parallel_size", "expert_model_parallel_size"),
    "dp": ("data_parallel_size",),
    "precision": ("dtype",),
    "step_time_s": ("step_time_seconds", "seconds_per_step", "iteration_time_s"),
    MILLISECONDS: ("iteration_time_ms", "elapsed_time_per_iteration_ms", "ms_per_step"),
    "tokens_per_s_per_gpu": ("tokens_s_gpu", "tokens_per_second_per_gpu", "tok_s_gpu"),
}
"""Our columns, and what others call them. Names that leave the unit open are not among them."""
SHOWN = 12
"""Most columns that a message lists."""


def read_runs(path: Path) -> tuple[list[Published], list[Skipped]]:
    """As `runs_of`, of a file; LabError if it cannot be read, too."""
    return runs_of(path, read_text(path))


def runs_of(path: Path, text: str) -> tuple[list[Published], list[Skipped]]:
    """Read a table, and separate the rows that can be predicted from those that cannot.

    Args:
        path: what error messages call the table.

    Raises:
        LabError: the table lacks a required column, has one twice, or is not valid CSV.
    """
    rows = rows_of(path, text, quoted_commas=True)
    if not rows:
        raise LabError(f"{path} is empty; give it the columns of published_runs.csv, and rows.")
    (_, header), *body = rows
    names = _our_names(header)
    _check_columns(path, names)
    runs, skipped = [], []
    for line, row in body:
        found = _found(names, row, line)
        (runs if isinstance(found, Published) else skipped).append(found)
    return runs, skipped


def _found(names: Sequence[str], row: Sequence[str], line: int) -> Published | Skipped:
    cells = dict(zip(names, row, strict=False))  # a short row lacks its last cells
    if any(row[len(names) :]):
        source = cells.get("source") or "unnamed"
        reason = f"{len(row)} cells, and the header has {len(names)}"
        return Skipped(f"line {line}", source, reason)
    return published(_in_seconds(cells), line)


def _in_seconds(cells: dict[str, str]) -> dict[str, str]:
    """The cells, with a step time in milliseconds as one in seconds, unless there is one."""
    if cells.get("step_time_s") or not (text := cells.get(MILLISECONDS)):
        return cells
    try:
        seconds = str(float(text.replace(",", "")) / 1000)
    except ValueError:
        seconds = text
    return cells | {"step_time_s": seconds}


def _our_names(header: Sequence[str]) -> list[str]:
    """Our names of columns such as "Seq length" or "Step time (s)"; an own name is taken first."""
    plain = [re.sub(r"[^a-z0-9]+", "_", cell.casefold()).strip("_") for cell in header]
    renamed = {
        other: ours for ours, others in OTHER_NAMES.items() for other in others if ours not in plain
    }
    return [renamed.get(name, name) for name in plain]


def _check_columns(path: Path, names: Sequence[str]) -> None:
    if missing := [name for name in NEEDED if name not in names]:
        raise LabError(
            f"{path} has no column {', '.join(missing)} (found {listed(names, SHOWN)}); give it "
            "the columns of published_runs.csv."
        )
    ours = {*Row.model_fields, MILLISECONDS}
    if twice := [name for name in names if name in ours and names.count(name) > 1]:
        raise LabError(f"{path} has two columns for {twice[0]}; remove or rename one of them.")
