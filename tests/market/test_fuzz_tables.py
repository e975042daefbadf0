"""Damaged tables of bars and of runs: read, or refused in a sentence."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from fuzzing import ODD_JSON, assert_survives, mutated_bytes, overwrite

from llmlab.market.bars.csv_file import read_csv
from llmlab.market.fits.table import read_table, runs_of

BARS = "Date,Open,High,Low,Close,Adj Close,Volume\n" + "".join(
    f"2001-01-{day:02d},10,11,9,10.5,10.5,{1000 + day}\n" for day in range(1, 8)
)
FITS = "params,tokens,loss\n" + "".join(
    f"{n}e6,{d}e9,{2 + 1 / n + 1 / d}\n" for n in range(1, 5) for d in range(1, 5)
)


def odd_cells(table: str) -> Callable[[random.Random], bytes]:
    """The table with one to three cells that are valid and that no column waits for."""

    def make(draw: random.Random) -> bytes:
        lines = [line.split(",") for line in table.splitlines()]
        for _ in range(draw.randint(1, 3)):
            row = draw.choice(lines)
            row[draw.randrange(len(row))] = draw.choice(ODD_JSON)
        return "\n".join(map(",".join, lines)).encode()

    return make


def damaged(table: str) -> Callable[[random.Random], bytes]:
    return lambda draw: mutated_bytes(table.encode(), draw)


@pytest.mark.parametrize("make", [damaged(BARS), odd_cells(BARS)], ids=["bytes", "cells"])
def test_fuzz_bars(make: Callable, tmp_path: Path) -> None:
    path = tmp_path / "own.csv"

    def read(content: bytes) -> None:
        overwrite(path, content)
        read_csv(path, jumps="adjust")

    assert assert_survives(read, make) > 0


@pytest.mark.parametrize("make", [damaged(FITS), odd_cells(FITS)], ids=["bytes", "cells"])
def test_fuzz_runs_to_fit(make: Callable, tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"

    def read(content: bytes) -> None:
        overwrite(path, content)
        runs_of(read_table(path), {"params": "params", "tokens": "tokens"}, "loss")

    assert assert_survives(read, make) > 0
