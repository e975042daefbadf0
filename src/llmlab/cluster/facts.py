"""Published facts: tables that come with the package, or with a folder that the user names."""

import os
from functools import cache
from importlib.resources import files
from pathlib import Path

import pandas as pd

DATA_DIR = "LLMLAB_DATA_DIR"
"""Environment variable: a folder that is looked in before the package's own."""

RUNS = "published_runs.csv"
SINGLE_NODE_RUNS = "published_runs_single_node.csv"
MLPERF_STEPS = "mlperf_steps.parquet"
NANOGPT_STEPS = "modded_nanogpt_logs.parquet"
INTERRUPTIONS = "interruptions.csv"
MEMORY = "published_memory.csv"


def fact_file(name: str) -> Path:
    """The file of that name: the user's, if the folder of `DATA_DIR` has it, else the package's."""
    folder = os.environ.get(DATA_DIR)
    if folder and (own := Path(folder) / name).is_file():
        return own
    return Path(str(files("llmlab.cluster").joinpath("data", name)))


def fact_table(name: str) -> pd.DataFrame:
    """The table in that file."""
    return _read(fact_file(name))


@cache
def _read(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
