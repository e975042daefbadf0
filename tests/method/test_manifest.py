from pathlib import Path

import pytest

from llmlab.method.digest import Fingerprint
from llmlab.method.errors import LabError
from llmlab.method.manifest import MANIFEST, Manifest, read_manifest, write_manifest

EXAMPLE = Manifest(
    experiment="toy",
    scale="smoke",
    fingerprint=Fingerprint({"llmlab.experiments.toy": "ab"}, "cd", "ef", {"base": "01"}),
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
)


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    write_manifest(tmp_path, EXAMPLE)
    assert read_manifest(tmp_path) == EXAMPLE
    assert EXAMPLE.looks == (1, 2)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"fingerprint": {}}'])
def test_a_damaged_manifest_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(LabError, match=rf"{tmp_path / MANIFEST} is damaged"):
        read_manifest(tmp_path)


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"manifest\.json cannot be read \(No such file"):
        read_manifest(tmp_path)
