from pathlib import Path

import pytest

from llmlab.method.errors import LabError
from llmlab.method.evidence import recording
from llmlab.method.evidence.lookup import fresh_evidence, recorded_evidence
from llmlab.method.evidence.recording import record, recordable
from llmlab.method.running.runner import run_experiment


def test_fresh_tables_become_the_evidence_of_a_fresh_clone(lab) -> None:
    manifest = run_experiment(lab.add(), "smoke", lab.project)
    folder = record(lab.project, "toy", "smoke")
    assert folder == lab.root / "results" / "smoke" / "toy"
    assert {path.name for path in folder.iterdir()} == {
        *("runs.csv", "curves.parquet", "manifest.json")
    }
    found = recorded_evidence(lab.project, "toy", "smoke")
    assert found.manifest == manifest
    assert len(found.runs) == 4


def test_recording_again_replaces_all_files(lab) -> None:
    run_experiment(lab.add(), "smoke", lab.project)
    record(lab.project, "toy", "smoke")
    run_experiment(lab.edit("toy", "tokens=3", "tokens=4"), "smoke", lab.project)
    record(lab.project, "toy", "smoke")
    assert set(recorded_evidence(lab.project, "toy", "smoke").runs["tokens"]) == {4}


def test_missing_and_partial_results_are_refused(lab) -> None:
    run_experiment(lab.add(), "smoke", lab.project, seeds=[0])
    for scale in ("smoke", "laptop"):
        with pytest.raises(LabError, match=f"toy has no complete results at scale '{scale}'"):
            record(lab.project, "toy", scale)


def test_stale_results_are_refused_with_what_changed(lab) -> None:
    run_experiment(lab.add(), "smoke", lab.project)
    lab.edit("toy", "tokens=3", "tokens=4")
    with pytest.raises(LabError, match=r"stale \(run changed since\); run `llm"):
        record(lab.project, "toy", "smoke")
    assert recordable(lab.project) == []


def test_edited_results_are_refused_and_what_was_recorded_stays(lab) -> None:
    run_experiment(lab.add(), "smoke", lab.project)
    recorded = record(lab.project, "toy", "smoke")
    before = (recorded / "runs.csv").read_text()
    fresh = lab.project.fresh("smoke", "toy") / "runs.csv"
    fresh.write_text(before.replace("completed", "diverged", 1))
    with pytest.raises(LabError, match="was cut short or edited"):
        record(lab.project, "toy", "smoke")
    assert (recorded / "runs.csv").read_text() == before


def test_of_several_experiments_all_are_recorded_or_none(
    lab, llmlab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(lab.root)
    run_experiment(lab.add(), "smoke", lab.project)
    lab.add(name="other")
    done = llmlab("record", "toy", "other", "--scale", "smoke")
    assert (done.code, done.out) == (1, "")
    assert "other has no complete results" in done.err
    assert not (lab.root / "results").exists()


def test_a_results_folder_that_cannot_be_written_is_named(lab) -> None:
    run_experiment(lab.add(), "smoke", lab.project)
    (lab.root / "results").write_text("in the way")
    with pytest.raises(LabError, match=r"cannot write .*results.*make the folder writable"):
        record(lab.project, "toy", "smoke")


def test_all_that_is_fresh_and_current_can_be_recorded(lab) -> None:
    toy = lab.add()
    lab.add(name="other")
    run_experiment(toy, "smoke", lab.project)
    run_experiment(toy, "laptop", lab.project)
    assert recordable(lab.project) == [("toy", "smoke"), ("toy", "laptop")]


def test_a_full_disk_leaves_what_was_recorded_before(lab, monkeypatch) -> None:
    run_experiment(lab.add(), "smoke", lab.project)
    record(lab.project, "toy", "smoke")
    folder = lab.project.recorded("smoke", "toy")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(path: Path, content: bytes) -> None:
        raise LabError(f"cannot write {path}: No space left on device")

    monkeypatch.setattr(recording, "write_file", full)
    with pytest.raises(LabError, match="No space left"):
        record(lab.project, "toy", "smoke")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["toy"]


def test_tables_that_change_meanwhile_are_refused_and_what_was_recorded_stays(lab) -> None:
    run_experiment(lab.add(), "smoke", lab.project)
    target = record(lab.project, "toy", "smoke")
    before = (target / "runs.csv").read_bytes()
    evidence = fresh_evidence(lab.project, "toy", "smoke")
    run_experiment(lab.edit("toy", "tokens=3", "tokens=4"), "smoke", lab.project)
    with pytest.raises(LabError, match=r"another process is writing to .*toy: wait"):
        recording._copy(evidence, target)
    (evidence.folder / "manifest.json").unlink()
    with pytest.raises(LabError, match="another process is writing"):
        recording._contents(evidence)
    assert (target / "runs.csv").read_bytes() == before
