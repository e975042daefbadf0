"""Records of one kind, one a line, in a CSV file of `results/`."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from llmlab.method.documents import first_mistake, in_one_line
from llmlab.method.errors import LabError
from llmlab.method.files import read_text, write_file

Record = TypeVar("Record")


def read_records(path: Path, kind: type[Record]) -> list[Record]:
    """Read the records in a file, or none if there is no file; an empty cell is None.

    Args:
        kind: a dataclass whose fields are the columns.

    Raises:
        LabError: a line is damaged.
    """
    if not path.is_file():
        return []
    try:
        rows = [
            {name: value or None for name, value in row.items()}
            for row in csv.DictReader(io.StringIO(read_text(path)))
        ]
        return TypeAdapter(list[kind]).validate_python(rows)
    except (ValidationError, csv.Error) as error:
        is_typed = isinstance(error, ValidationError)
        cause = first_mistake(error) if is_typed else in_one_line(error)
        raise LabError(f"{path} is damaged ({cause}): restore it from git.") from error


def write_records(path: Path, kind: type, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write records, each with the fields of `kind`; errors as in `write_file`."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(kind)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_file(path, text.getvalue())
