"""Results in a storage: made in one clone, fetched by another.

The storage is a folder, or a bucket on a real S3 server on loopback. The first needs rsync. boto3
wants an older python-dateutil than envs/constraints.txt pins, so the plugin of the second and moto
are in an environment of their own (CONTRIBUTING.md). Elsewhere they are skipped.
"""

import gzip
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_book import EXPERIMENT, Book, write_book

from llmlab.method.checksums import file_sha256
from llmlab.method.evidence.manifest import read_manifest

KEEPS = EXPERIMENT.replace(
    "    return Outcome",
    '    (trial.keep / f"{{trial.seed}}.bin").write_bytes(b"weights")\n    return Outcome',
)
Options = tuple[str, ...]


def options_of_folder(folder: Path) -> Options:
    """The options that lead to an empty folder."""
    pytest.importorskip("snakemake_storage_plugin_fs", reason="its plugin is not installed")
    if not shutil.which("rsync"):
        pytest.skip("rsync is not installed")
    return ("--default-storage-provider", "fs", "--default-storage-prefix", str(folder))


def options_of_bucket(url: str) -> Options:
    """The options that lead to a bucket."""
    keys = ("--storage-s3-access-key", "a", "--storage-s3-secret-key", "b")
    return ("--storage-s3-endpoint-url", url, *keys)


@pytest.fixture(params=["folder", "bucket"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Options]:
    """The options that lead to a storage with nothing in it."""
    if request.param == "folder":
        yield options_of_folder(tmp_path / "storage")
        return
    pytest.importorskip("snakemake_storage_plugin_s3", reason="its plugin is not installed")
    moto = pytest.importorskip("moto.server", reason="moto, a local S3 server, is not installed")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield options_of_bucket(f"http://{host}:{port}")
    server.stop()


def clone(folder: Path) -> Book:
    book = write_book(folder)
    source = KEEPS.format(name="alpha", upper="ALPHA", needs=[])
    book.write("src/llmlab/experiments/alpha.py", source)
    return book


def stored(*storage: str) -> Options:
    """The arguments of a build that keeps its results in a storage."""
    return ("results", "--profile", "profiles/s3", *storage, "--config", "scale=smoke")


def test_what_one_clone_computed_another_fetches(tmp_path: Path, storage: Options) -> None:
    build = stored(*storage)
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


def test_weights_that_were_changed_in_a_storage_are_not_taken(tmp_path: Path) -> None:
    build = stored(*options_of_folder(tmp_path / "storage"))
    clone(tmp_path / "first").build(*build)
    (pack,) = (tmp_path / "storage").rglob("alpha/*/all.tar.gz")
    change_weights(pack)
    second = clone(tmp_path / "second")
    code, printed = second.run(*build)
    assert code != 0
    assert "with another SHA-256 than its name; copy the pack again, or make it anew" in printed
    assert not list(second.root.glob("build/results/smoke/alpha/kept/*"))
    pack.unlink()
    assert "alpha at smoke scale, seeds all, packed" in second.build(*build)


def change_weights(pack: Path) -> None:
    """Give the one content that the runs kept, and that the pack has once, another first byte."""
    with tarfile.open(pack) as archive:
        (place,) = [each.offset_data for each in archive if each.name.startswith("kept/")]
    content = bytearray(gzip.decompress(pack.read_bytes()))
    content[place] ^= 1
    pack.write_bytes(gzip.compress(content))
