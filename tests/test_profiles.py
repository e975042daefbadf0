"""Snakemake's profiles of clusters: what each would run of the real pipeline, by its plugin."""

import importlib.util
import re
from pathlib import Path

import pytest
from small_book import Book, write_book

SHARES = {
    f"{name} at smoke scale, seeds {seed}-{seed}" for name in ("alpha", "beta") for seed in (0, 1)
}
WHOLE = {"alpha at smoke scale", "beta at smoke scale"}
PACKS = {f"{job}, packed" for job in SHARES} | {f"{job}, seeds all, packed" for job in WHOLE}


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    return write_book(tmp_path_factory.mktemp("book"))


def need(*plugins: str) -> None:
    """Skip the test where a plugin is not installed."""
    for plugin in plugins:
        if importlib.util.find_spec(plugin) is None:
            pytest.skip(f"{plugin.replace('_', '-')} is not installed")


def planned(book: Book, profile: str, *arguments: str) -> set[str]:
    shares = ("--config", "scale=smoke", "shards=2")
    return book.scheduled("results", "--profile", f"profiles/{profile}", *arguments, *shares)


def test_slurm_runs_shares_of_seeds_and_merges_them(book: Book) -> None:
    need("snakemake_executor_plugin_slurm")
    assert planned(book, "slurm") == SHARES | WHOLE


def with_gpu_budget(source: str) -> str:
    laptop = '"laptop": Budget'
    return source.replace(laptop, f'"gpu": Budget({{"rate": [0.1]}}, 2), {laptop}')


def without_messages(source: str) -> str:
    """Snakemake prints the resources of a job only if it has no message of its own."""
    return re.sub(r"    message:\n.*\n", "", source)


@pytest.mark.parametrize(("scale", "n_gpus"), [("smoke", 0), ("gpu", 1)])
def test_slurm_is_asked_for_a_gpu_at_gpu_scale_alone(book: Book, scale: str, n_gpus: int) -> None:
    need("snakemake_executor_plugin_slurm")
    wanted = ("results", "--profile", "profiles/slurm", "--config", f"scale={scale}", "shards=2")
    with (
        book.edited("src/llmlab/experiments/alpha.py", with_gpu_budget),
        book.edited("Snakefile", without_messages),
    ):
        printed = book.build("--dry-run", *wanted)
    asked = re.findall(r"^    resources: .*\bgpu=(\d+)", printed, re.MULTILINE)
    assert set(map(int, asked)) == {n_gpus}


def test_pods_run_shares_of_seeds_that_come_home_packed(book: Book, tmp_path: Path) -> None:
    need("snakemake_executor_plugin_kubernetes", "snakemake_storage_plugin_fs")
    folder = ("--default-storage-provider", "fs", "--default-storage-prefix", str(tmp_path))
    assert planned(book, "kubernetes", *folder) == PACKS | WHOLE


def test_batch_jobs_run_shares_of_seeds_that_come_home_packed(book: Book, tmp_path: Path) -> None:
    need("snakemake_executor_plugin_aws_batch", "snakemake_storage_plugin_fs")
    folder = ("--default-storage-provider", "fs", "--default-storage-prefix", str(tmp_path))
    names = ("--aws-batch-job-queue", "queue", "--aws-batch-job-role", "role")
    assert planned(book, "aws-batch", *folder, *names) == PACKS | WHOLE
