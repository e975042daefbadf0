"""Damaged records of the method: read, or refused in a sentence."""

import io
import json
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from fuzzing import ODD_JSON, assert_survives, mutated_bytes, mutated_json, overwrite

from llmlab.method.evidence.drift import read_drifts
from llmlab.method.evidence.equivalence import EQUIVALENCE, read_equivalence
from llmlab.method.evidence.manifest import MANIFEST, read_manifest
from llmlab.method.judging.journal import read_journal
from llmlab.method.project import Project
from llmlab.method.running.packing import unpack
from llmlab.method.running.parts import Part, Parts

JOURNAL = (
    "hypothesis,scale,table,seeds,word,effect,low,high,rules,date\n"
    + "H-A-1,laptop,0123456789ab,10,SUPPORTED,0.5,0.25,0.75,2,2026-11-26\n" * 3
)
DRIFT = "scale,experiment,metric,largest,reruns\n" + "smoke,minimum,steps,0.001,2\n" * 3
EQUIVALENT = {
    **dict.fromkeys(("recorded", "now", "commit_recorded", "commit_now", "host", "device"), "x"),
    "changed": ["LoraLinear"],
    "scale": "smoke",
    "rows": 4,
    "sha256": {"runs.csv": "y"},
    "libraries": {"numpy": "2"},
    "date": "2026-11-26",
}
MADE = {
    **dict.fromkeys(("experiment", "git_commit", "command", "host", "device"), "x"),
    "scale": "smoke",
    "fingerprint": {
        "budget": "cd", "settings": "ef", "needs": {"base": "01"}, "reach": "ab",
        "code": {"toy.run": "23"},
    },
    "git_dirty": False,
    "started": "2026-01-01T00:00:00+00:00",
    "finished": "2026-01-01T00:01:00+00:00",
    "libraries": {"python": "3.11"},
    "seeds": [0, 1],
    "rows": 4,
    "sha256": {"runs.csv": "23"},
    "judged_before": [1],
    "kept": {"weights.safetensors": "45"},
    "commits": {"0123": 3},
}  # fmt: skip
PART = Part(
    row={"run_id": "rate=1", "rate": 1.0, "seed": 0, "loss": 0.5, "status": "ok"},
    curves={"loss": [(0, 1.0), (1, 0.5)]},
    views={"look": {"kind": "text"}},
    started="2026-01-01T00:00:00+00:00",
    finished="2026-01-01T00:01:00+00:00",
    device="2 x CPU",
    commit="0123",
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "results").mkdir()
    return Project(tmp_path)


def odd_or_damaged(table: str) -> Callable[[random.Random], bytes]:
    """The table with an odd cell, or with damaged bytes."""

    def make(draw: random.Random) -> bytes:
        lines = [line.split(",") for line in table.splitlines()]
        row = draw.choice(lines)
        row[draw.randrange(len(row))] = draw.choice(ODD_JSON)
        whole = "\n".join(map(",".join, lines)).encode()
        return whole if draw.random() < 0.5 else mutated_bytes(table.encode(), draw)

    return make


@pytest.mark.parametrize(
    ("name", "table", "load"),
    [("verdicts.csv", JOURNAL, read_journal), ("drift.csv", DRIFT, read_drifts)],
)
def test_fuzz_journals(name: str, table: str, load: Callable, project: Project) -> None:
    def read(content: bytes) -> None:
        overwrite(project.root / "results" / name, content)
        load(project)

    assert assert_survives(read, odd_or_damaged(table)) > 0


def test_fuzz_equivalence(tmp_path: Path) -> None:
    def read(content: bytes) -> None:
        overwrite(tmp_path / EQUIVALENCE, content)
        read_equivalence(tmp_path)

    assert assert_survives(read, lambda draw: mutated_json(EQUIVALENT, draw)) > 0


@pytest.mark.parametrize("form", ["gz", ""], ids=["gzip", "tar"])
def test_fuzz_packs(form: str, project: Project) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode=f"w:{form}") as archive:
        for name in ("smoke/minimum/runs.csv", "smoke/minimum/parts/a.json"):
            member = tarfile.TarInfo(name)
            member.size = 600
            archive.addfile(member, io.BytesIO(json.dumps([0] * 200).encode()))
        link = tarfile.TarInfo("smoke/minimum/kept/weights.bin")
        link.type, link.linkname = tarfile.LNKTYPE, f"kept/{'0' * 64}"
        archive.addfile(link)
    pack = project.root / "pack.tar.gz"

    def read(damaged: bytes) -> None:
        overwrite(pack, damaged)
        unpack(project, pack)

    assert_survives(read, lambda draw: mutated_bytes(content.getvalue(), draw))


@pytest.mark.parametrize("kind", ["values", "bytes"])
def test_fuzz_manifests(kind: str, tmp_path: Path) -> None:
    def read(content: bytes) -> None:
        overwrite(tmp_path / MANIFEST, content)
        assert read_manifest(tmp_path).looks

    def make(draw: random.Random) -> bytes:
        if kind == "values":
            return mutated_json(MADE, draw)
        return mutated_bytes(json.dumps(MADE).encode(), draw)

    assert assert_survives(read, make) > 0


@pytest.mark.parametrize("kind", ["values", "bytes"])
def test_fuzz_finished_runs(kind: str, tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    parts.write(PART)
    path = parts.path(PART.run_id)
    valid = path.read_bytes()

    def read(content: bytes) -> None:
        overwrite(path, content)
        parts.read(PART.run_id)

    def make(draw: random.Random) -> bytes:
        if kind == "values":
            return mutated_json(json.loads(valid), draw)
        return mutated_bytes(valid, draw)

    assert assert_survives(read, make) > 0
