"""Every reader of a file that a user names refuses one that has no end, or fills the memory."""

from collections.abc import Callable
from pathlib import Path

import pytest

from llmlab.cluster.physics.planfile import read_plan
from llmlab.cluster.scoring import tables
from llmlab.finetune.command.examples import read_examples
from llmlab.finetune.curves import readers
from llmlab.market.bars.csv_file import read_csv
from llmlab.market.fits.table import read_table
from llmlab.method import files
from llmlab.method.errors import LabError
from llmlab.method.project import Project
from llmlab.method.running.packing import unpack
from llmlab.sleep.koans.koan import read_koans
from llmlab.sleep.repair.episodes import EpisodeFile


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("bars.csv", read_csv),
        ("curves.csv", readers.read_runs),
        ("curves.jsonl", readers.read_runs),
        ("curves.log", readers.read_runs),
        ("curves.parquet", readers.read_runs),
        ("episodes.jsonl", lambda path: EpisodeFile(path).read()),
        ("examples.jsonl", read_examples),
        ("koans.toml", read_koans),
        ("pack.tar.gz", lambda path: unpack(Project(path.parent), path)),
        ("plan.json", read_plan),
        ("plan.toml", read_plan),
        ("published.csv", tables.read_runs),
        ("runs.csv", read_table),
        ("trainer_state.json", readers.read_runs),
    ],
)
def test_a_file_that_is_too_large_is_refused(
    name: str, read: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "LARGEST", 10)
    (tmp_path / name).write_text("1" * 11)
    with pytest.raises(LabError, match=rf"{name} is larger than a gibibyte, or has no end"):
        read(tmp_path / name)
