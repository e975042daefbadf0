"""Run a part of a benchmark in isolation, or time a command; print and save the measurements.

Measurements are saved as JSON in build/benchmarks/.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from llmlab.method.files import write_file
from llmlab.method.project import Project


def save(name: str, rows: Mapping[str, Mapping[str, float]]) -> None:
    """Print and save one row per measured case, one column per number."""
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    table = Table(name, *columns, title=f"benchmark: {name}")
    for what, row in rows.items():
        table.add_row(what, *(str(row.get(column, "")) for column in columns))
    Console().print(table)
    path = Project.find().build / "benchmarks" / f"{name}.json"
    write_file(path, json.dumps(rows, indent=2) + "\n")


def in_a_process(script: str, *arguments: str) -> dict[str, float]:
    """What a benchmark prints as JSON when it is run with these arguments, apart from the rest."""
    command = [sys.executable, script, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def peak_mib() -> float:
    """Peak memory so far: of the allocator on CUDA, of this process elsewhere."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    # not getrusage's, which begins at the peak of the process that started this one
    status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 2**10


def timed(command: Sequence[str], root: Path) -> dict[str, float]:
    """Seconds of a command in the checkout `root`: on the clock, and of the cores it used."""
    environment = os.environ | {"PYTHONPATH": str(root / "src")}
    start, used = time.perf_counter(), _used_seconds()
    subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True)
    return {
        "seconds": round(time.perf_counter() - start, 1),
        "core_seconds": round(_used_seconds() - used, 1),
    }


def _used_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
