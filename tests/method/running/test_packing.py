"""Packs: what goes in comes out, in files that are small enough, and nothing else is let in."""

import errno
import gzip
import hashlib
import io
import random
import shutil
import tarfile
from pathlib import Path

import pytest
from conftest import TOY
from filelock import FileLock

from llmlab.method.errors import LabError
from llmlab.method.evidence.recording import record
from llmlab.method.project import Project
from llmlab.method.running import kept, packing
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
    (file,) = packing.pack(lab.project, "smoke", tmp_path / "pack.tar.gz").files
    folder = home.fresh("smoke", "toy")
    folder.mkdir(parents=True)
    with (
        FileLock(folder / LOCK),
        pytest.raises(LabError, match="another process is running toy at scale 'smoke'; wait"),
    ):
        packing.unpack(home, file)
    assert [path.name for path in folder.iterdir()] == [LOCK]
    names = packing.unpack(home, file).names
    assert "smoke/toy/manifest.json" in names
    assert make_plan(lab.load("toy"), "smoke", home).is_done
    assert record(home, "toy", "smoke").is_dir()


def test_unpacking_and_running_remove_what_killed_processes_left(lab, home, tmp_path):
    toy = lab.add()
    run_experiment(toy, "smoke", lab.project, workers=1)
    (file,) = packing.pack(lab.project, "smoke", tmp_path / "pack.tar.gz").files
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
    (file,) = packing.pack(lab.project, "smoke", tmp_path / "pack.tar.gz").files
    packing.unpack(home, file)
    folder = home.fresh("smoke", "toy")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def write(path, data):
        if path.name.startswith(".manifest.json"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_bytes(path, data)

    write_bytes = Path.write_bytes
    monkeypatch.setattr(
        packing, "_contents", lambda source: (dict.fromkeys(_names(before), b"x"), {})
    )
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
    (file,) = packing.pack(lab.project, "smoke", tmp_path / "pack.tar.gz").files
    packing.unpack(home, file)
    plan = make_plan(toy, "smoke", home)
    assert {plan.finished(trial) for trial in plan.trials if trial.seed == 0} == {True}
    assert not plan.is_done


def test_a_large_pack_goes_on_in_further_files(lab, home, tmp_path, monkeypatch):
    run_experiment(lab.add(), "smoke", lab.project, workers=1)
    monkeypatch.setattr(packing, "MOST_BYTES", 2_000)
    files = packing.pack(lab.project, "smoke", tmp_path / "pack.tar.gz").files
    assert [file.name for file in files[:2]] == ["pack.tar.gz", "pack-2.tar.gz"]
    assert all(file.stat().st_size < 2_000 for file in files)
    packing.unpack(home, files[0])
    assert make_plan(lab.load("toy"), "smoke", home).is_done


def test_one_experiment_comes_home_whole(lab, home, tmp_path):
    made = run_experiment(lab.add(), "smoke", lab.project, workers=1)
    file = tmp_path / "toy.tar.gz"
    packing.pack_experiment(lab.project, "smoke", "toy", file)
    names = packing.unpack(home, file).names
    assert set(names) == {f"smoke/toy/{name}" for name in ["manifest.json", *made.files]}
    assert make_plan(lab.load("toy"), "smoke", home).is_done


SAME = TOY.replace('f"weights of seed {trial.seed}"', '"weights"')


def targets(file):
    """The files of a pack that its links lead to."""
    with tarfile.open(file) as archive:
        return [each.name for each in archive if each.name.startswith("kept/")]


def test_a_pack_holds_equal_kept_files_once(lab, home, tmp_path):
    made = run_experiment(lab.add(SAME), "smoke", lab.project, workers=1)
    file = tmp_path / "toy.tar.gz"
    packing.pack_experiment(lab.project, "smoke", "toy", file)
    assert sorted(made.kept) == ["0.txt", "1.txt"]
    assert targets(file) == [f"kept/{hashlib.sha256(b'weights').hexdigest()}"]
    packing.unpack(home, file)
    assert make_plan(lab.load("toy"), "smoke", home).is_done


def test_a_second_campaign_leaves_only_new_weights_beside_its_pack(lab, tmp_path):
    toy, target = lab.add(), tmp_path / "pack.tar.gz"
    run_experiment(toy, "smoke", lab.project, seeds=[0], workers=1)
    (first,) = packing.pack(lab.project, "smoke", target).kept
    run_experiment(toy, "smoke", lab.project, workers=1)
    (second,) = packing.pack(lab.project, "smoke", target).kept
    assert {first.read_text(), second.read_text()} == {"weights of seed 0", "weights of seed 1"}
    assert packing.pack(lab.project, "smoke", target).kept == ()
    assert sorted((tmp_path / "kept").iterdir()) == sorted([first, second])


def test_weights_that_were_changed_on_the_way_lay_nothing_in(lab, home, tmp_path):
    run_experiment(lab.add(), "smoke", lab.project, workers=1)
    packed = packing.pack(lab.project, "smoke", tmp_path / "pack.tar.gz")
    packed.kept[0].write_text("weights of seed 9")
    with pytest.raises(LabError, match=f"{packed.kept[0].name} was cut short or edited"):
        packing.unpack(home, packed.files[0])
    assert not (home.build / "results").exists()


def test_weights_inside_a_pack_are_those_of_their_name(lab, home, tmp_path):
    run_experiment(lab.add(), "smoke", lab.project, seeds=[0], workers=1)  # no manifest vouches
    file = tmp_path / "toy.tar.gz"
    packing.pack_experiment(lab.project, "smoke", "toy", file)
    whole = gzip.decompress(file.read_bytes())
    file.write_bytes(gzip.compress(whole.replace(b"weights of seed 0", b"weights of seed 9")))
    with pytest.raises(LabError, match=r"'kept/[0-9a-f]{64}' with another SHA-256 than its name"):
        packing.unpack(home, file)
    assert not (home.build / "results").exists()


@pytest.mark.parametrize("seeds", [None, [0]])
def test_without_its_weights_a_table_comes_home_and_unfinished_runs_do_not(
    lab, home, tmp_path, seeds
):
    toy = lab.add()
    run_experiment(toy, "smoke", lab.project, seeds=seeds, workers=1)
    packed = packing.pack(lab.project, "smoke", tmp_path / "pack.tar.gz")
    (tmp_path / "kept").rename(tmp_path / "elsewhere")
    unpacked = packing.unpack(home, packed.files[0])
    assert {"kept" in name for name in unpacked.missing} == {True}
    plan = make_plan(toy, "smoke", home)
    assert not any(map(plan.finished, plan.trials))
    assert ("smoke/toy/runs.csv" in unpacked.names) == (seeds is None)
    (tmp_path / "elsewhere").rename(tmp_path / "kept")
    assert packing.unpack(home, packed.files[0]).missing == ()
    assert any(map(plan.finished, plan.trials))
    (tmp_path / "kept").rename(tmp_path / "elsewhere")
    assert packing.unpack(home, packed.files[0]).missing == ()  # they are here


def test_the_user_is_told_which_weights_did_not_come_along(ledger_lab, tmp_path):
    ledger_lab.add()
    run = ("campaign", "--scale", "smoke", "--within", "1m", "--pack", "pack.tar.gz")
    assert "packed 2 new files of weights into kept" in ledger_lab.llmlab(*run).stdout
    shutil.rmtree(ledger_lab.root / "kept")
    shutil.rmtree(ledger_lab.project.build)
    said = " ".join(ledger_lab.llmlab("unpack", "pack.tar.gz").stdout.split())
    assert "The weights of toy did not come along: copy the folder kept" in said
    assert "`llmlab run toy --scale smoke`" in said
    assert "toy is complete" in said


def test_a_pack_of_an_earlier_version_is_unpacked(lab, home, tmp_path):
    run_experiment(lab.add(), "smoke", lab.project, workers=1)
    file, results = tmp_path / "pack.tar.gz", lab.project.build / "results"
    for name, is_kept in (("pack.tar.gz", False), ("pack-kept.tar.gz", True)):
        with tarfile.open(tmp_path / name, "w:gz") as archive:
            for path in filter(Path.is_file, results.rglob("*")):
                if ("kept" in path.parts) == is_kept and path.suffix != ".lock":
                    archive.add(path, path.relative_to(results).as_posix())
    packing.unpack(home, file)
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


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("smoke/toy/kept/0.txt", "/etc/stray"),
        ("smoke/toy/kept/0.txt", "kept/../../stray"),
        ("smoke/toy/runs.csv", f"kept/{'0' * 64}"),
        ("smoke/toy/kept/../../../stray", f"kept/{'0' * 64}"),
    ],
)
def test_a_link_leads_from_a_kept_file_to_a_sha256(lab, home, tmp_path, name, target):
    lab.add()
    file = tmp_path / "pack.tar.gz"
    with tarfile.open(file, "w:gz") as archive:
        link = tarfile.TarInfo(name)
        link.type, link.linkname = tarfile.LNKTYPE, target
        archive.addfile(link)
    with pytest.raises(LabError, match="which this book never packs"):
        packing.unpack(home, file)
    assert not (home.build / "results").exists()


def test_a_small_file_with_many_links_is_refused(lab, home, tmp_path, monkeypatch):
    lab.add()
    file, weights = tmp_path / "pack.tar.gz", b"weights"
    (target,) = kept.put(tmp_path / "kept", [_written(tmp_path / "weights", weights)])
    with tarfile.open(file, "w:gz") as archive:
        for number in range(10):
            link = tarfile.TarInfo(f"smoke/toy/kept/{number}.txt")
            link.type, link.linkname = tarfile.LNKTYPE, f"kept/{target.name}"
            archive.addfile(link)
    monkeypatch.setattr(packing, "LARGEST", 10 * len(weights) - 1)
    with pytest.raises(LabError, match="unpacks to more than a gibibyte"):
        packing.unpack(home, file)
    assert not (home.build / "results").exists()


def _written(path, content):
    path.write_bytes(content)
    return path


def test_a_damaged_pack_in_another_compression_is_refused(lab, home, tmp_path):
    lab.add()
    file = tmp_path / "pack.tar.xz"
    member = tarfile.TarInfo("smoke/toy/kept/weights")
    member.size = 100_000
    with tarfile.open(file, "w:xz") as archive:
        archive.addfile(member, io.BytesIO(random.Random(0).randbytes(member.size)))
    content = bytearray(file.read_bytes())
    content[-1000:-900] = bytes(100)
    file.write_bytes(content)
    with pytest.raises(LabError, match="is not a pack"):
        packing.unpack(home, file)


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
    assert ended.stdout == ""
    assert not (ledger_lab.project.build / "results").exists()
