"""Published facts: tables from the package, or from a folder that the user names."""

import os
from functools import cache
from pathlib import Path

import pandas as pd

from llmlab.method.environment import DATA_DIR
from llmlab.method.files import packaged

RUNS = "llmlab/cluster/data/published_runs.csv"
SINGLE_NODE_RUNS = "llmlab/cluster/data/published_runs_single_node.csv"
MLPERF_STEPS = "llmlab/cluster/data/mlperf_steps.parquet"
NANOGPT_STEPS = "llmlab/cluster/data/modded_nanogpt_logs.parquet"
INTERRUPTIONS = "llmlab/cluster/data/interruptions.csv"
MEMORY = "llmlab/cluster/data/published_memory.csv"


def fact_file(fact: str) -> Path:
    """The packaged file, or the one of its name in the folder of `DATA_DIR` if there is one."""
    folder = os.environ.get(DATA_DIR)
    if folder and (own := Path(folder) / Path(fact).name).is_file():
        return own
    return packaged(fact)


def fact_table(fact: str) -> pd.DataFrame:
    """The table in `fact_file(fact)`."""
    return _read(fact_file(fact))


@cache
def _read(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
