"""Prints what a benchmark measured and keeps it as JSON in build/benchmarks/."""

import json
from collections.abc import Mapping

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
