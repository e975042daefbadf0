"""Results in a bucket: made in one clone, fetched by another, from a real S3 server on loopback.

boto3 wants an older python-dateutil than envs/constraints.txt pins, so that its plugin and moto
stand in an environment of their own (CONTRIBUTING.md); elsewhere this is skipped.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from small_book import EXPERIMENT, Book, write_book

from llmlab.method.checksums import file_sha256
from llmlab.method.evidence.manifest import read_manifest

pytest.importorskip("snakemake_storage_plugin_s3", reason="its plugin is not installed")
moto = pytest.importorskip("moto.server", reason="moto, a local S3 server, is not installed")

KEEPS = EXPERIMENT.replace(
    "    return Outcome",
    '    (trial.keep / f"{{trial.seed}}.bin").write_bytes(b"weights")\n    return Outcome',
)


@pytest.fixture
def bucket() -> Iterator[tuple[str, ...]]:
    """The options that lead to a server with nothing in it."""
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    keys = ("--storage-s3-access-key", "a", "--storage-s3-secret-key", "b")
    yield ("--storage-s3-endpoint-url", f"http://{host}:{port}", *keys)
    server.stop()


def clone(folder: Path) -> Book:
    book = write_book(folder)
    source = KEEPS.format(name="alpha", upper="ALPHA", needs=[])
    book.write("src/llmlab/experiments/alpha.py", source)
    return book


def test_what_one_clone_computed_another_fetches(tmp_path: Path, bucket: tuple[str, ...]) -> None:
    build = ("results", "--profile", "profiles/s3", *bucket, "--config", "scale=smoke")
    first, second = clone(tmp_path / "first"), clone(tmp_path / "second")
    assert "seeds all, packed" in first.build(*build)
    assert "seeds all, packed" not in second.build(*build)
    assert second.scheduled(*build) == set()
    for name in ("alpha", "beta"):
        folders = [book.root / "build/results/smoke" / name for book in (first, second)]
        made, fetched = map(read_manifest, folders)
        assert fetched == made
        assert all(file_sha256(folders[1] / path) == sha for path, sha in made.files.items())
    assert sorted(read_manifest(second.root / "build/results/smoke/alpha").kept) == [
        "0.bin",
        "1.bin",
    ]
