"""Snakemake's profiles of clusters: what each would run of the real pipeline, by its plugin."""

import importlib.util
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


def test_pods_run_shares_of_seeds_that_come_home_packed(book: Book, tmp_path: Path) -> None:
    need("snakemake_executor_plugin_kubernetes", "snakemake_storage_plugin_fs")
    folder = ("--default-storage-provider", "fs", "--default-storage-prefix", str(tmp_path))
    assert planned(book, "kubernetes", *folder) == PACKS | WHOLE


def test_batch_jobs_run_shares_of_seeds_that_come_home_packed(book: Book, tmp_path: Path) -> None:
    need("snakemake_executor_plugin_aws_batch", "snakemake_storage_plugin_fs")
    folder = ("--default-storage-provider", "fs", "--default-storage-prefix", str(tmp_path))
    names = ("--aws-batch-job-queue", "queue", "--aws-batch-job-role", "role")
    assert planned(book, "aws-batch", *folder, *names) == PACKS | WHOLE
