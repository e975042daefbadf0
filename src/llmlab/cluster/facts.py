"""Published facts: tables from the package, or from a folder that the user names."""

import os
from functools import cache
from importlib.resources import files
from pathlib import Path

import pandas as pd

from llmlab.method.environment import DATA_DIR

RUNS = "published_runs.csv"
SINGLE_NODE_RUNS = "published_runs_single_node.csv"
MLPERF_STEPS = "mlperf_steps.parquet"
NANOGPT_STEPS = "modded_nanogpt_logs.parquet"
INTERRUPTIONS = "interruptions.csv"
MEMORY = "published_memory.csv"


def fact_file(name: str) -> Path:
    """The file with this name: from the folder of `DATA_DIR` if it is there, else the package's."""
    folder = os.environ.get(DATA_DIR)
    if folder and (own := Path(folder) / name).is_file():
        return own
    return Path(str(files("llmlab.cluster").joinpath("data", name)))


def fact_table(name: str) -> pd.DataFrame:
    """The table in `fact_file(name)`."""
    return _read(fact_file(name))


@cache
def _read(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
