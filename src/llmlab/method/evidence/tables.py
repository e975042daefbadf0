"""The two tables of an experiment: their schemas, writers and readers.

`runs.csv` has one row per run, `curves.parquet` one row per run, curve and step. The schemas carry
units and descriptions; the data dictionary is generated from them.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import pandas as pd
import pandera.pandas as pa

from llmlab.method.declare.experiment import Experiment, Status
from llmlab.method.documents import in_one_line
from llmlab.method.errors import LabError
from llmlab.method.evidence.manifest import verified
from llmlab.method.files import write_file

RUNS = "runs.csv"
CURVES = "curves.parquet"
TIMING = ("seconds", "peak_memory_mib")
"""Columns that differ between any two runs and are never compared."""


def _column(
    dtype: type, description: str, unit: str = "1", checks: Sequence[pa.Check] = (), **options: bool
) -> pa.Column:
    return pa.Column(
        dtype, list(checks), description=description, metadata={"unit": unit}, **options
    )


RUN_ID = _column(str, "Condition and seed of the run, as axis=level/.../seed=n.", unique=True)
SEED = _column(int, "Random seed; runs with one seed are pairs.", checks=[pa.Check.ge(0)])
COMMON_COLUMNS: Mapping[str, pa.Column] = {
    "status": _column(
        str,
        "How the run ended: completed, diverged (its loss left the finite numbers) or failed.",
        checks=[pa.Check.isin(get_args(Status))],
    ),
    "seconds": _column(float, "Wall-clock time of the run.", "s", [pa.Check.ge(0)]),
    "tokens": _column(int, "Tokens trained on.", "tokens", [pa.Check.ge(0)]),
    "peak_memory_mib": _column(
        float,
        "Peak memory: of the accelerator where there is one, of the process otherwise.",
        "MiB",
        [pa.Check.ge(0)],
    ),
}
"""The columns that end every `runs.csv`."""

CURVES_SCHEMA = pa.DataFrameSchema(
    {
        "run_id": _column(str, "The run in runs.csv that the point belongs to."),
        "metric": _column(str, "Name of the curve."),
        "step": _column(int, "Optimiser step, or whatever the curve runs over.", "steps"),
        "value": _column(float, "Value of the curve at the step, in its own unit.", nullable=True),
    },
    strict=True,
    ordered=True,
    description="One row per run, curve and step.",
)


def runs_schema(experiment: Experiment) -> pa.DataFrameSchema:
    """The columns of the experiment's `runs.csv`, in order."""
    axes = {
        axis.name: _column(level_type(experiment, axis.name), axis.description, axis.unit)
        for axis in experiment.axes
    }
    metrics = {
        metric.name: _column(float, metric.description, metric.unit, nullable=True)
        for metric in experiment.metrics
    }
    return pa.DataFrameSchema(
        {"run_id": RUN_ID, **axes, "seed": SEED, **metrics, **COMMON_COLUMNS},
        strict=True,
        ordered=True,
        description="One row per run, in the order of the conditions, then of the seeds.",
    )


def level_type(experiment: Experiment, axis: str) -> type:
    """The type of an axis's column: the narrowest that fits its levels at every scale."""
    kinds = {
        type(level) for budget in experiment.budgets.values() for level in budget.conditions[axis]
    }
    if kinds <= {bool} or kinds <= {int}:
        return kinds.pop()
    return float if kinds <= {int, float} else str


def runs_frame(experiment: Experiment, rows: Iterable[Mapping[str, object]]) -> pd.DataFrame:
    """Build a validated table from rows of runs.

    Raises:
        LabError: a row lacks a column, or a value has the wrong type.
    """
    schema = runs_schema(experiment)
    frame = pd.DataFrame(rows, columns=list(schema.columns)).astype(_types(schema))
    return _validated(frame, schema, f"the table of {experiment.name}")


def curves_frame(rows: Iterable[tuple[str, str, int, float]]) -> pd.DataFrame:
    """Build a validated table from points (run_id, metric, step, value)."""
    frame = pd.DataFrame(rows, columns=list(CURVES_SCHEMA.columns))
    return CURVES_SCHEMA.validate(frame.astype(_types(CURVES_SCHEMA)))


def write_runs(folder: Path, runs: pd.DataFrame) -> None:
    """Write `runs.csv`; floats get the fewest digits that restore the same number."""
    write_file(folder / RUNS, runs.to_csv(index=False, na_rep="nan", lineterminator="\n"))


def write_curves(folder: Path, curves: pd.DataFrame) -> None:
    """Write `curves.parquet`, compressed."""
    # bytes, since pyarrow takes no path that is not UTF-8
    write_file(folder / CURVES, curves.to_parquet(index=False, compression="zstd"))


def read_runs(folder: Path, experiment: Experiment) -> pd.DataFrame:
    """Read the table of runs in `folder`.

    Raises:
        LabError: the file is missing, its SHA-256 differs from the manifest's, or it does not have
            the columns of the experiment.
    """
    path = verified(folder, RUNS)
    schema = runs_schema(experiment)
    types = _types(schema)
    exact = {name: float for name, kind in types.items() if kind == "float64"}
    others = {name: kind for name, kind in types.items() if name not in exact}
    with _parsing(path):
        frame = pd.read_csv(path, converters=exact, dtype=others, keep_default_na=False)
    return _validated(frame, schema, str(path))


def has_columns(folder: Path, experiment: Experiment) -> bool:
    """Whether the table in `folder` has the columns of the experiment; one without a header does.

    `read_runs` says what is wrong with such a file.
    """
    try:
        with (folder / RUNS).open(encoding="utf-8", newline="") as file:
            header = next(csv.reader(file))
    except (OSError, UnicodeError, StopIteration, csv.Error):
        return True
    return header == list(runs_schema(experiment).columns)


def read_curves(folder: Path) -> pd.DataFrame:
    """Read the table of curves in `folder`; errors as in `read_runs`."""
    path = verified(folder, CURVES)
    with _parsing(path):
        frame = pd.read_parquet(io.BytesIO(path.read_bytes()))
    return _validated(frame, CURVES_SCHEMA, str(path))


@contextmanager
def _parsing(path: Path) -> Iterator[None]:
    """Raise LabError if a table cannot be parsed although its digest is right."""
    try:
        yield
    except (ValueError, ArithmeticError, OSError, KeyError, TypeError, RecursionError) as error:
        raise LabError(
            f"{path} cannot be read as a table ({in_one_line(error)}); restore it or run the "
            "experiment again."
        ) from error


def _types(schema: pa.DataFrameSchema) -> dict[str, object]:
    """The pandas type of each column."""
    return {name: column.dtype.type for name, column in schema.columns.items()}


def _validated(frame: pd.DataFrame, schema: pa.DataFrameSchema, source: str) -> pd.DataFrame:
    missing = [name for name in schema.columns if name not in frame.columns]
    extra = [name for name in frame.columns if name not in schema.columns]
    if missing or extra:
        raise LabError(
            f"{source} has the wrong columns (missing: {', '.join(missing) or 'none'}; "
            f"extra: {', '.join(extra) or 'none'}); run the experiment again."
        )
    try:
        return schema.validate(frame)
    except pa.errors.SchemaError as error:
        raise LabError(
            f"{source} does not fit its schema ({in_one_line(error)}); run the experiment again."
        ) from error
