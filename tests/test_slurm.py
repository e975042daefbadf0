"""Experiments as jobs of a real Slurm, where one is installed."""

import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from slurm_node import Node, one_node, wait_for, why_not
from small_book import TRAINER, Book, write_book

pytestmark = pytest.mark.long

if importlib.util.find_spec("snakemake_executor_plugin_slurm") is None:
    pytest.skip("snakemake-executor-plugin-slurm is not installed", allow_module_level=True)
if reason := why_not():
    pytest.skip(reason, allow_module_level=True)

QUICK = (
    "--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "1",
    "--seconds-between-status-checks", "1", "--slurm-keep-successful-logs",
)  # fmt: skip
"""Accounting needs a database, which one node does without; and nobody waits for a real queue."""

FAILS_ONCE = """import pathlib
    if not pathlib.Path("failed").exists():
        pathlib.Path("failed").touch()
        raise RuntimeError("no memory is left")
"""


@dataclass(frozen=True)
class Cluster:
    """A small book whose experiments a node runs."""

    book: Book
    node: Node

    def start(self, *targets: str, scale: str = "laptop", shards: int = 1) -> subprocess.Popen:
        """Snakemake, which sends jobs to the node and waits for them."""
        profile = ["--profile", "profiles/slurm", *QUICK]
        config = ["--config", f"scale={scale}", f"shards={shards}"]
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", *profile, *config, "--", *targets],
            cwd=self.book.root,
            env={
                name: value for name, value in self.node.environment.items() if "SNAKE" not in name
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def logs(self) -> list[Path]:
        """What Slurm kept of the output of each job."""
        return sorted((self.book.root / "build" / "logs" / "slurm").rglob("*.log"))


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with one_node(tmp_path_factory.mktemp("node") / "slurm") as node:
        yield node


@pytest.fixture
def cluster(node: Node, tmp_path: Path) -> Cluster:
    return Cluster(write_book(tmp_path), node)


def finished(process: subprocess.Popen, seconds: float = 900) -> str:
    """What it printed; it must have succeeded."""
    try:
        printed = process.communicate(timeout=seconds)[0]
    finally:
        process.kill()
    assert process.returncode == 0, printed
    return printed


def test_seeds_run_as_jobs_a_failed_one_again_with_more_time(cluster: Cluster) -> None:
    failing = TRAINER.replace("time.sleep(pause)", FAILS_ONCE)
    assert failing != TRAINER
    cluster.book.write("src/llmlab/toys.py", failing)
    finished(cluster.start("build/results/smoke/alpha/runs.csv", scale="smoke", shards=2))
    folder = cluster.book.root / "build/results/smoke/alpha"
    assert sorted(pd.read_csv(folder / "runs.csv").seed.unique()) == [0, 1]
    assert (folder / "manifest.json").is_file()
    ended = (cluster.node.folder / "jobs.txt").read_text()
    asked = re.findall(r"JobState=(\w+).* TimeLimit=(\d+)", ended)
    assert {("FAILED", "60"), ("COMPLETED", "120")} <= set(asked)
    # where the profile and the rule say that the logs are
    assert any("no memory is left" in log.read_text() for log in cluster.logs())
    for seed in (0, 1):
        log = cluster.book.root / f"build/logs/smoke/alpha-{seed}-{seed}.log"
        assert "seeds are finished" in log.read_text()


def test_a_job_that_lost_its_node_goes_on_at_its_last_run(cluster: Cluster) -> None:
    folder = cluster.book.root / "build/results/laptop/alpha"
    process = cluster.start("build/results/laptop/alpha/runs.csv")
    wait_for(lambda: len(made_at(folder)) > 2, 300)
    urgent = ("--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=true")
    cluster.node.ask("sbatch", *urgent)
    wait_for(lambda: cluster.node.waiting_again(), 120)
    before = made_at(folder)
    assert 2 < len(before) < 10
    for job in cluster.node.waiting_again():  # by itself, Slurm waits two minutes
        cluster.node.ask("scontrol", "update", f"JobId={job}", "StartTime=now")
    finished(process)
    assert len(pd.read_csv(folder / "runs.csv")) == 10
    assert before.items() <= made_at(folder).items()


def made_at(folder: Path) -> dict[str, int]:
    """When each run of an experiment was finished."""
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("parts/*/*.json")}
