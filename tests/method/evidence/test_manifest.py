from pathlib import Path

import pytest

from llmlab.method.checksums import file_sha256
from llmlab.method.errors import LabError
from llmlab.method.evidence.fingerprint import Fingerprint
from llmlab.method.evidence.manifest import (
    MANIFEST,
    Manifest,
    read_manifest,
    write_manifest,
)

EXAMPLE = Manifest(
    experiment="toy",
    scale="smoke",
    fingerprint=Fingerprint("cd", "ef", {"base": "01"}, reach="ab", code={"toy.run": "23"}),
    git_commit="0123",
    git_dirty=True,
    command="llmlab run toy --scale smoke",
    started="2026-01-01T00:00:00+00:00",
    finished="2026-01-01T00:01:00+00:00",
    host="Linux x86_64",
    device="2 x CPU",
    libraries={"python": "3.11"},
    seeds=(0, 1),
    rows=4,
    sha256={"runs.csv": "23"},
    judged_before=(1,),
    kept={"weights.safetensors": "45"},
    commits={"0123": 3, "0123 with changes": 1},
)


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    write_manifest(tmp_path, EXAMPLE)
    assert read_manifest(tmp_path) == EXAMPLE
    assert EXAMPLE.looks == (1, 2)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"fingerprint": {}}', "[" * 100_000, "1" * 6000]
)
def test_a_damaged_manifest_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(LabError, match=rf"{tmp_path / MANIFEST} is damaged"):
        read_manifest(tmp_path)


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"manifest\.json cannot be read \(No such file"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("name", ["runs.csv", "views.json"])
def test_line_ends_that_git_rewrote_are_no_other_content(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"run_id,loss\nseed=0,0.5\n")
    before = file_sha256(tmp_path / name)
    (tmp_path / name).write_bytes(b"run_id,loss\r\nseed=0,0.5\r\n")
    assert file_sha256(tmp_path / name) == before
    (tmp_path / name).write_bytes(b"run_id,loss\r\nseed=0,0.6\r\n")
    assert file_sha256(tmp_path / name) != before


def test_every_byte_of_a_binary_file_counts(tmp_path: Path) -> None:
    (tmp_path / "curves.parquet").write_bytes(b"PAR1\r\n")
    before = file_sha256(tmp_path / "curves.parquet")
    (tmp_path / "curves.parquet").write_bytes(b"PAR1\n")
    assert file_sha256(tmp_path / "curves.parquet") != before
