"""Times a command; prints what a benchmark measured and keeps it as JSON in build/benchmarks/."""

import json
import os
import resource
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from llmlab.method.files import write_file
from llmlab.method.project import Project


def save(name: str, rows: Mapping[str, Mapping[str, float]]) -> None:
    """One row for each thing that was measured, one column for each number."""
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    table = Table(name, *columns, title=f"benchmark: {name}")
    for what, row in rows.items():
        table.add_row(what, *(str(row.get(column, "")) for column in columns))
    Console().print(table)
    path = Project.find().build / "benchmarks" / f"{name}.json"
    write_file(path, json.dumps(rows, indent=2) + "\n")


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
