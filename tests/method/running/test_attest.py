"""A toy is recorded, its code changes, and the change is shown to be none, or refused."""

import shutil
import subprocess
from pathlib import Path

import pytest

from llmlab.method import locks
from llmlab.method.environment import CACHE_DIR
from llmlab.method.errors import LabError
from llmlab.method.evidence.equivalence import (
    EQUIVALENCE,
    Equivalence,
    read_equivalence,
    write_equivalence,
)
from llmlab.method.evidence.fingerprint import fingerprint
from llmlab.method.evidence.lookup import Evidence, recorded_evidence
from llmlab.method.evidence.recording import record
from llmlab.method.locks import attesting
from llmlab.method.running.attest import attest
from llmlab.method.running.runner import run_experiment
from llmlab.method.running.status import State, state

TOOLS = """
def double(x):
    return x + x


def never(x):
    return x
"""


def git(lab, *arguments: str) -> None:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=lab.root, check=True, capture_output=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what the first test's lab holds once it is recorded; the others take it over."""
    return tmp_path_factory.mktemp("recorded") / "lab"


@pytest.fixture
def recorded(lab, made: Path):
    """A lab with a committed toy, recorded at two scales, which calls a module of tools."""
    if made.exists():
        shutil.rmtree(lab.root)
        shutil.copytree(made, lab.root, symlinks=True)
        lab.load("toy")
        return lab
    (lab.root / "src" / "llmlab" / "tools.py").write_text(TOOLS)
    lab.add()
    imports = "    from llmlab.tools import double, never\n\n    time.sleep"
    lab.edit("toy", "    time.sleep", imports)
    lab.edit("toy", '{"loss": draw()}', '{"loss": double(draw()) or never(1)}')
    clock = '{"seconds": [(0, time.perf_counter())], "loss": [(0'
    lab.edit("toy", '{"loss": [(0', clock)
    toy = lab.edit("toy", "curves=(", 'curves=(Metric("seconds", "Time.", "s"), ')
    commit(lab)
    for scale in ("smoke", "laptop"):
        run_experiment(toy, scale, lab.project)
        record(lab.project, "toy", scale)
    shutil.copytree(lab.root, made, symlinks=True)
    return lab


def commit(lab) -> None:
    """Make a repository of the lab."""
    (lab.project.ledger / "questions.toml").write_text("# Questions.\n")
    (lab.root / ".gitignore").write_text("build/\n__pycache__/\n")
    git(lab, "init")
    git(lab, "add", ".")
    git(lab, "commit", "-m", "code")


def edit_tools(lab, old: str, new: str) -> None:
    path = lab.root / "src" / "llmlab" / "tools.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_a_refactoring_leaves_evidence_of_every_scale_current(recorded) -> None:
    edit_tools(recorded, "return x + x", "y = x\n    return y + x")
    assert recorded_evidence(recorded.project, "toy", "laptop").changes == ("double",)
    folders = attest(recorded.project, "toy", "smoke")
    assert [folder.parent.name for folder in folders] == ["smoke", "laptop"]
    evidence = recorded_evidence(recorded.project, "toy", "laptop")
    assert (evidence.state, evidence.changes) == ("current, by equivalence", ())
    assert evidence.equivalence.changed == ("tools.double",)
    assert evidence.equivalence.rows == 4
    assert evidence.equivalence.commit_now.endswith("with changes")
    edit_tools(recorded, "y + x", "y + y")
    assert recorded_evidence(recorded.project, "toy", "laptop").state == "stale"


def test_scales_may_come_from_different_code(recorded) -> None:
    edit_tools(recorded, "return x + x", "y = x\n    return y + x")
    git(recorded, "commit", "--all", "--message", "tools")
    run_experiment(recorded.load("toy"), "laptop", recorded.project)
    record(recorded.project, "toy", "laptop")
    edit_tools(recorded, "y + x", "y + y")
    attest(recorded.project, "toy", "smoke")
    found = [recorded_evidence(recorded.project, "toy", scale) for scale in ("smoke", "laptop")]
    assert [evidence.state for evidence in found] == ["current, by equivalence"] * 2
    assert len({evidence.equivalence.commit_recorded for evidence in found}) == 2


def equivalence(stale: Evidence) -> Equivalence:
    """What attest would find for stale evidence, without the runs."""
    now = fingerprint(stale.experiment, stale.scale).digest
    unsaid = dict.fromkeys(("commit_recorded", "commit_now", "scale", "host", "device", "date"), "")
    recorded = stale.manifest.fingerprint.digest
    return Equivalence(recorded, now, changed=(), rows=4, sha256={}, libraries={}, **unsaid)


def test_status_tells_it_from_plain_current(recorded) -> None:
    edit_tools(recorded, "return x + x", "y = x\n    return y + x")
    stale = recorded_evidence(recorded.project, "toy", "laptop")
    write_equivalence(stale.folder, equivalence(stale))
    fresh = recorded.project.fresh("laptop", "toy")
    fresh.rename(fresh.with_name("elsewhere"))
    assert state(recorded.project, "toy", "laptop") == State(
        "current", "by equivalence", "recorded"
    )


def test_another_result_is_no_equivalence(recorded) -> None:
    edit_tools(recorded, "return x + x", "return x + x + 1")
    with pytest.raises(LabError, match=r"toy gives different results now \(runs\.csv differ\)"):
        attest(recorded.project, "toy", "smoke")
    assert read_equivalence(recorded.project.recorded("smoke", "toy")) is None


def test_what_was_cached_before_hides_no_difference(recorded, monkeypatch, tmp_path) -> None:
    """The toy keeps the results of `double` for all later runs, as downloads are kept."""
    monkeypatch.setenv(CACHE_DIR, str(tmp_path / "cache"))
    kept = """
import os
from pathlib import Path


def double(x):
    cache = Path(os.environ["LLMLAB_CACHE_DIR"])
    cache.mkdir(exist_ok=True)
    if not (kept := cache / str(x)).exists():
        kept.write_text(str(x + x))
    return float(kept.read_text())
"""
    edit_tools(recorded, TOOLS[: TOOLS.index("\n\n\n")], kept)
    run_experiment(recorded.load("toy"), "smoke", recorded.project, out=tmp_path / "before")
    edit_tools(recorded, "str(x + x)", "str(x + x + 1)")
    with pytest.raises(LabError, match="toy gives different results now"):
        attest(recorded.project, "toy", "smoke")


def test_a_change_that_the_run_passes_by_is_refused(recorded) -> None:
    edit_tools(recorded, "    return x\n", "    return -x\n")
    with pytest.raises(LabError, match=r"does not execute tools\.never, so it proves nothing"):
        attest(recorded.project, "toy", "smoke")


def test_a_commit_with_another_budget_for_the_run_is_refused(recorded) -> None:
    """The laptop evidence is stale because of its code alone; the smoke budget is another, too."""
    recorded.edit("toy", "seeds=2, settings", "seeds=3, settings")
    edit_tools(recorded, "return x + x", "y = x\n    return y + x")
    run_experiment(recorded.load("toy"), "smoke", recorded.project)
    record(recorded.project, "toy", "smoke")
    with pytest.raises(LabError, match=r"toy had another smoke budget at [0-9a-f]{12}"):
        attest(recorded.project, "toy", "smoke")


def test_a_change_in_a_file_of_data_is_refused(lab) -> None:
    """The toy's runs read nothing of it, so that their results are equal."""
    facts = lab.root / "src" / "llmlab" / "room" / "facts.csv"
    facts.parent.mkdir()
    facts.write_text("gpu,watts\n")
    lab.add()
    toy = lab.edit("toy", "    time.sleep", '    Path("llmlab/room/facts.csv")\n    time.sleep')
    toy = lab.edit("toy", "import time", "import time\nfrom pathlib import Path")
    commit(lab)
    run_experiment(toy, "smoke", lab.project)
    record(lab.project, "toy", "smoke")
    facts.write_text("gpu,Watts\n")
    assert recorded_evidence(lab.project, "toy", "smoke").changes == ("facts.csv",)
    with pytest.raises(LabError, match=r"facts\.csv changed since that commit"):
        attest(lab.project, "toy", "smoke")


def test_more_than_code_is_refused(recorded) -> None:
    recorded.edit("toy", '"pause": 0.0}', '"pause": 0.01}')
    with pytest.raises(LabError, match="stale because budget changed, not only code"):
        attest(recorded.project, "toy", "smoke")


def test_a_second_attest_does_not_run_beside_the_first(recorded, monkeypatch) -> None:
    edit_tools(recorded, "return x + x", "y = x\n    return y + x")
    monkeypatch.setattr(locks, "PATIENCE_SECONDS", 0)
    with attesting(recorded.project), pytest.raises(LabError, match="another `llmlab attest`"):
        attest(recorded.project, "toy", "smoke")
    assert attest(recorded.project, "toy", "smoke")


def test_current_evidence_needs_no_attest(recorded) -> None:
    with pytest.raises(LabError, match="no recorded evidence of toy is stale"):
        attest(recorded.project, "toy", "smoke")


def test_half_precision_is_refused(recorded) -> None:
    edit_tools(recorded, "return x + x", "y = x\n    return y + x")
    manifest = recorded.project.recorded("laptop", "toy") / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"device": "', '"device": "NVIDIA H100 + '))
    with pytest.raises(LabError, match="comes from NVIDIA H100"):
        attest(recorded.project, "toy", "smoke")


def test_a_damaged_equivalence_is_named(recorded) -> None:
    edit_tools(recorded, "return x + x", "y = x\n    return y + x")
    path = recorded.project.recorded("laptop", "toy") / EQUIVALENCE
    path.write_text("{")
    with pytest.raises(LabError, match=r"equivalence\.json is damaged .*: restore it from git"):
        recorded_evidence(recorded.project, "toy", "laptop")
