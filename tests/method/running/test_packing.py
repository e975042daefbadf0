"""Packs: what goes in comes out, in files that are small enough, and nothing else is let in."""

import errno
import io
import tarfile
from pathlib import Path

import pytest
from filelock import FileLock

from llmlab.method.errors import LabError
from llmlab.method.evidence.recording import record
from llmlab.method.project import Project
from llmlab.method.running import packing
from llmlab.method.running.parts import LOCK
from llmlab.method.running.plan import make_plan
from llmlab.method.running.runner import run_experiment


@pytest.fixture
def home(lab, tmp_path):
    """Another project with the same experiment, where nothing was computed."""
    root = tmp_path / "home"
    root.mkdir()
    return Project(root)


def test_a_finished_table_comes_home_and_can_be_recorded(lab, home, tmp_path):
    run_experiment(lab.add(), "smoke", lab.project, workers=1)
    file, kept = packing.pack(lab.project, "smoke", tmp_path / "pack.tar.gz")
    folder = home.fresh("smoke", "toy")
    folder.mkdir(parents=True)
    with (
        FileLock(folder / LOCK),
        pytest.raises(LabError, match="another process is running toy at scale 'smoke'; wait"),
    ):
        packing.unpack(home, file)
    assert [path.name for path in folder.iterdir()] == [LOCK]
    names = packing.unpack(home, file)
    assert kept.name == "pack-kept.tar.gz"
    assert "smoke/toy/manifest.json" in names
    assert make_plan(lab.load("toy"), "smoke", home).is_done
    assert record(home, "toy", "smoke").is_dir()


def test_unpacking_and_running_remove_what_killed_processes_left(lab, home, tmp_path):
    toy = lab.add()
    run_experiment(toy, "smoke", lab.project, workers=1)
    file, _ = packing.pack(lab.project, "smoke", tmp_path / "pack.tar.gz")
    left = home.fresh("smoke", "toy") / ".runs.csv.12345"
    for again in (lambda: packing.unpack(home, file), lambda: _run_anew(toy, home)):
        left.parent.mkdir(parents=True, exist_ok=True)
        left.write_text("half")
        again()
        assert not left.exists()


def _run_anew(experiment, project):
    (project.fresh("smoke", "toy") / "manifest.json").unlink()
    run_experiment(experiment, "smoke", project, workers=1)


def test_a_disk_that_is_full_leaves_the_former_tables_whole(lab, home, tmp_path, monkeypatch):
    toy = lab.add()
    run_experiment(toy, "smoke", lab.project, workers=1)
    file, _ = packing.pack(lab.project, "smoke", tmp_path / "pack.tar.gz")
    packing.unpack(home, file)
    folder = home.fresh("smoke", "toy")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def write(path, data):
        if path.name.startswith(".manifest.json"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_bytes(path, data)

    write_bytes = Path.write_bytes
    monkeypatch.setattr(packing, "_contents", lambda source: dict.fromkeys(_names(before), b"x"))
    monkeypatch.setattr(packing, "_verify", lambda source, contents: None)
    monkeypatch.setattr(Path, "write_bytes", write)
    with pytest.raises(LabError, match=r"cannot write .*manifest.json: No space left"):
        packing.unpack(home, file)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def _names(paths):
    return [f"smoke/toy/{path.name}" for path in paths if path.suffix in (".csv", ".json")]


def test_a_small_pack_of_a_large_file_is_refused(lab, home, tmp_path, monkeypatch):
    run_experiment(lab.add(), "smoke", lab.project, workers=1)
    file = tmp_path / "toy.tar.gz"
    packing.pack_experiment(lab.project, "smoke", "toy", file)
    monkeypatch.setattr(packing, "LARGEST", 10)
    with pytest.raises(LabError, match="unpacks to more than a gibibyte"):
        packing.unpack(home, file)
    assert not (home.build / "results").exists()


def test_finished_runs_come_home_without_their_table(lab, home, tmp_path):
    toy = lab.add()
    run_experiment(toy, "smoke", lab.project, seeds=[0], workers=1)
    file, _ = packing.pack(lab.project, "smoke", tmp_path / "pack.tar.gz")
    packing.unpack(home, file)
    plan = make_plan(toy, "smoke", home)
    assert {plan.finished(trial) for trial in plan.trials if trial.seed == 0} == {True}
    assert not plan.is_done


def test_a_large_pack_goes_on_in_further_files(lab, home, tmp_path, monkeypatch):
    run_experiment(lab.add(), "smoke", lab.project, workers=1)
    monkeypatch.setattr(packing, "MOST_BYTES", 2_000)
    files = packing.pack(lab.project, "smoke", tmp_path / "pack.tar.gz")
    assert [file.name for file in files[:2]] == ["pack.tar.gz", "pack-2.tar.gz"]
    assert all(file.stat().st_size < 2_000 for file in files)
    packing.unpack(home, files[0])
    assert make_plan(lab.load("toy"), "smoke", home).is_done


def test_one_experiment_comes_home_whole(lab, home, tmp_path):
    made = run_experiment(lab.add(), "smoke", lab.project, workers=1)
    file = tmp_path / "toy.tar.gz"
    packing.pack_experiment(lab.project, "smoke", "toy", file)
    names = packing.unpack(home, file)
    assert set(names) == {f"smoke/toy/{name}" for name in ["manifest.json", *made.files]}
    assert make_plan(lab.load("toy"), "smoke", home).is_done


def test_an_unfinished_experiment_comes_home_as_its_runs(lab, home, tmp_path):
    toy = lab.add()
    run_experiment(toy, "smoke", lab.project, seeds=[1], workers=1)
    file = tmp_path / "toy.tar.gz"
    packing.pack_experiment(lab.project, "smoke", "toy", file)
    packing.unpack(home, file)
    plan = make_plan(toy, "smoke", home)
    assert {trial.seed for trial in plan.trials if plan.finished(trial)} == {1}


def test_nothing_to_pack_is_a_sentence(lab, tmp_path):
    lab.add()
    with pytest.raises(LabError, match=r"toy has no finished run .* run `llmlab run toy"):
        packing.pack_experiment(lab.project, "smoke", "toy", tmp_path / "toy.tar.gz")


@pytest.mark.parametrize("damaged", ["runs.csv", "kept/0.txt"])
def test_a_pack_that_differs_from_its_manifest_lays_nothing_in(lab, home, tmp_path, damaged):
    run_experiment(lab.add(), "smoke", lab.project, workers=1)
    (lab.project.fresh("smoke", "toy") / damaged).write_text("other")
    file = tmp_path / "toy.tar.gz"
    packing.pack_experiment(lab.project, "smoke", "toy", file)
    with pytest.raises(LabError, match=f"'smoke/toy/{damaged}' with another SHA-256"):
        packing.unpack(home, file)
    assert not (home.build / "results").exists()


@pytest.mark.parametrize(
    "name", ["smoke/toy/../../../stray", "smoke/other/runs.csv", "/etc/stray", "runs.csv"]
)
def test_a_pack_lays_nothing_elsewhere(lab, home, tmp_path, name):
    lab.add()
    file = tmp_path / "pack.tar.gz"
    with tarfile.open(file, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(LabError, match="which this book never packs"):
        packing.unpack(home, file)
    assert not (home.build / "results").exists()


def test_what_is_no_pack_is_refused(home, tmp_path):
    file = tmp_path / "pack.tar.gz"
    file.write_bytes(b"no archive")
    with pytest.raises(LabError, match="is not a pack"):
        packing.unpack(home, file)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("pack.zip", "does not end in .tar.gz"),
        ("README.md/pack.tar.gz", "cannot write"),
        ("src.tar.gz", "is a folder: name a file to write"),
    ],
)
def test_a_campaign_whose_pack_cannot_be_written_runs_nothing(ledger_lab, target, reason):
    ledger_lab.add()
    (ledger_lab.root / "README.md").touch()
    (ledger_lab.root / "src.tar.gz").mkdir()
    ended = ledger_lab.llmlab("campaign", "--scale", "smoke", "--within", "1m", "--pack", target)
    assert ended.returncode == 1
    assert reason in ended.stderr
    assert not (ledger_lab.project.build / "results").exists()
