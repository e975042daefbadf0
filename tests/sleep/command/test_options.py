"""The small coder of the book, as `--base micro` opens it."""

from dataclasses import replace
from pathlib import Path

import pytest

from llmlab.method.checksums import checksums
from llmlab.method.errors import LabError
from llmlab.method.evidence.manifest import read_manifest, write_manifest
from llmlab.sleep.command.options import open_coder

RECORDED = Path(__file__).parents[3] / "results" / "smoke" / "sleep_base"


@pytest.fixture
def kept(coder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a run of `sleep_base` kept, in the book that is the working directory."""
    (tmp_path / "chapters" / "hypotheses").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "build" / "results" / "smoke" / "sleep_base"
    folder.mkdir(parents=True)
    coder.rename(folder / "kept")
    write_manifest(folder, replace(read_manifest(RECORDED), kept=checksums(folder / "kept")))
    return folder / "kept"


def test_the_coder_that_a_run_kept_is_opened(kept: Path) -> None:
    assert open_coder("micro").language == "python"


def test_a_coder_that_is_not_the_one_that_a_run_kept_is_refused(kept: Path) -> None:
    weights = kept / "coder.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(
        LabError, match=r"coder\.safetensors is missing, or was cut short or edited"
    ):
        open_coder("micro")
