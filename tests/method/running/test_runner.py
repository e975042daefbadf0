import json
import resource
import shutil
import signal
import subprocess
import time
from functools import partial
from pathlib import Path

import psutil
import pytest
from calling import LlmLab
from filelock import FileLock

from llmlab.method.declare.experiment import Experiment
from llmlab.method.errors import LabError
from llmlab.method.evidence.manifest import MANIFEST
from llmlab.method.evidence.tables import TIMING, read_curves, read_runs
from llmlab.method.running import runner
from llmlab.method.running.lease import lease
from llmlab.method.running.parts import LOCK
from llmlab.method.running.plan import make_plan
from llmlab.method.running.runner import run_experiment

pytestmark = pytest.mark.long


def rows(folder: Path, experiment: Experiment) -> list[dict]:
    """The rows of a table without what differs between any two runs."""
    return read_runs(folder, experiment).drop(columns=list(TIMING)).to_dict("records")


def part_files(folder: Path) -> dict[str, int]:
    """When each finished run was written, by its file."""
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("parts/*/*.json")}


def test_every_condition_and_seed_becomes_a_row_in_order(lab) -> None:
    toy = lab.add()
    manifest = run_experiment(toy, "smoke", lab.project)
    folder = lab.project.fresh("smoke", "toy")
    assert [row["run_id"] for row in rows(folder, toy)] == [
        *("rate=1e-05/seed=0", "rate=1e-05/seed=1", "rate=0.1/seed=0", "rate=0.1/seed=1")
    ]
    assert len(read_curves(folder)) == 8
    assert (manifest.rows, manifest.seeds) == (4, (0, 1))
    assert manifest.command == "llmlab run toy --scale smoke"
    assert manifest.started <= manifest.finished
    assert (folder / "kept" / "1.txt").read_text() == "weights of seed 1"


def test_the_number_of_workers_changes_no_value(lab, tmp_path: Path) -> None:
    toy = lab.add()
    for workers in (1, 3):
        run_experiment(toy, "smoke", lab.project, out=tmp_path / str(workers), workers=workers)
    one, three = (rows(tmp_path / n / "smoke" / "toy", toy) for n in "13")
    assert one == three


@pytest.fixture
def inside(lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Works in the root of the lab."""
    monkeypatch.chdir(lab.root)


@pytest.mark.usefixtures("inside")
def test_a_kill_loses_no_row_and_doubles_none(lab, llmlab: LlmLab, tmp_path: Path) -> None:
    lab.add()
    toy = lab.edit("toy", '"pause": 0.05', '"pause": 0.1')
    folder = lab.project.fresh("laptop", "toy")
    process = lab.start("run", "toy", "--scale", "laptop")
    while len(part_files(folder)) < 2:
        time.sleep(0.02)
        assert process.poll() is None
    workers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + 30
    while any(map(_is_alive, workers)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    survivors = part_files(folder)

    assert 2 <= len(survivors) < 9
    assert not (folder / MANIFEST).exists()
    assert llmlab("run", "toy", "--scale", "laptop").code == 0
    assert survivors.items() <= part_files(folder).items()

    run_experiment(toy, "laptop", lab.project, out=tmp_path)
    assert rows(folder, toy) == rows(tmp_path / "laptop" / "toy", toy)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_current_tables_are_left_alone(lab) -> None:
    toy = lab.add()
    first = run_experiment(toy, "smoke", lab.project)
    times = {path: path.stat().st_mtime_ns for path in lab.root.glob("build/**/*.*")}
    assert run_experiment(toy, "smoke", lab.project) == first
    assert times == {path: path.stat().st_mtime_ns for path in lab.root.glob("build/**/*.*")}


def test_a_damaged_table_is_made_again_from_its_runs(lab) -> None:
    toy = lab.add()
    run_experiment(toy, "smoke", lab.project)
    folder = lab.project.fresh("smoke", "toy")
    before, parts = rows(folder, toy), part_files(folder)
    (folder / "runs.csv").write_text("run_id")
    run_experiment(toy, "smoke", lab.project)
    assert rows(folder, toy) == before
    assert part_files(folder) == parts


def test_a_damaged_manifest_is_made_again(lab) -> None:
    toy = lab.add()
    manifest = run_experiment(toy, "smoke", lab.project)
    (lab.project.fresh("smoke", "toy") / MANIFEST).write_text("{")
    assert run_experiment(toy, "smoke", lab.project) == manifest


def test_some_seeds_make_no_tables_until_the_others_are_there(lab) -> None:
    toy = lab.add()
    folder = lab.project.fresh("smoke", "toy")
    assert run_experiment(toy, "smoke", lab.project, seeds=[1]) is None
    assert len(part_files(folder)) == 2
    assert not (folder / "runs.csv").exists()
    assert run_experiment(toy, "smoke", lab.project, seeds=[0]).rows == 4


def test_more_seeds_run_only_what_is_new(lab) -> None:
    run_experiment(lab.add(), "smoke", lab.project)
    folder = lab.project.fresh("smoke", "toy")
    before = part_files(folder)
    assert run_experiment(lab.edit("toy", "seeds=2", "seeds=3"), "smoke", lab.project).rows == 6
    assert before.items() <= part_files(folder).items()


def test_runs_of_earlier_code_go_once_new_tables_are_there(lab) -> None:
    run_experiment(lab.add(), "smoke", lab.project)
    folder = lab.project.fresh("smoke", "toy")
    run_experiment(lab.edit("toy", "tokens=3", "tokens=4"), "smoke", lab.project)
    assert len(list(folder.glob("parts/*"))) == 1
    assert set(read_runs(folder, lab.load("toy"))["tokens"]) == {4}


def test_a_run_that_raises_is_named_after_the_others_are_finished(lab) -> None:
    lab.add()
    wrong = 'if trial.seed == 1:\n        raise ValueError("no such luck")\n    time.sleep'
    toy = lab.edit("toy", "time.sleep", wrong)
    folder = lab.project.fresh("smoke", "toy")
    with pytest.raises(LabError) as caught:
        run_experiment(toy, "smoke", lab.project)
    assert str(caught.value).startswith(
        "2 of 4 runs of toy raised, first rate=1e-05/seed=1: ValueError: no such luck (traceback in"
    )
    traceback = next(folder.glob("parts/*/rate=1e-05-seed=1*.error.txt"))
    assert str(traceback) in str(caught.value)
    assert 'raise ValueError("no such luck")' in traceback.read_text()
    assert len(part_files(folder)) == 2
    assert not (folder / "runs.csv").exists()


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('{"loss": draw()}, {', "{}, {", "missing: loss; unknown: none"),
        ('{"loss": draw()}, {', '{"loss": 0, "los": 1}, {', r"unknown: los \(did you mean 'loss'"),
        ('{"loss": [(0', '{"curve": [(0', "missing: none; unknown: curve"),
    ],
)
def test_an_outcome_must_be_what_is_declared(lab, old: str, new: str, complaint: str) -> None:
    lab.add()
    with pytest.raises(LabError, match=rf"run rate=.* of toy must return .*{complaint}"):
        run_experiment(lab.edit("toy", old, new), "smoke", lab.project)


def test_a_status_must_be_one_that_there_is(lab) -> None:
    lab.add()
    toy = lab.edit("toy", "tokens=3", 'tokens=3, status="fine"')
    with pytest.raises(LabError, match="returned the status 'fine'; return one of completed,"):
        run_experiment(toy, "smoke", lab.project)


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("time.sleep(", "raise SystemExit('enough')\n    time.sleep(", "SystemExit: enough"),
        ('{"loss": draw()}', '{"loss": "low"}', "ValueError: could not convert string to float"),
    ],
)
def test_whatever_a_run_raises_is_told(lab, old: str, new: str, error: str) -> None:
    lab.add()
    with pytest.raises(LabError, match=f"4 of 4 runs of toy raised, first .*{error}"):
        run_experiment(lab.edit("toy", old, new), "smoke", lab.project)


def test_a_worker_that_is_killed_is_told(lab) -> None:
    lab.add()
    toy = lab.edit("toy", "time.sleep(", "__import__('os')._exit(9) or time.sleep(")
    with pytest.raises(LabError, match="a worker process of toy was killed, perhaps because mem"):
        run_experiment(toy, "smoke", lab.project)


def test_a_diverged_run_is_a_row(lab) -> None:
    lab.add()
    toy = lab.edit("toy", "    draw =", "    return EXPERIMENT.diverged(tokens=1)\n    draw =")
    assert run_experiment(toy, "smoke", lab.project).rows == 4
    assert set(read_runs(lab.project.fresh("smoke", "toy"), toy)["status"]) == {"diverged"}


def test_a_worker_has_the_threads_of_the_budget_and_fixed_hashes(lab) -> None:
    lab.add()
    lab.edit("toy", "import random", "import os\nimport random")
    seen = 'int(os.environ["OMP_NUM_THREADS"]) + 10 * (os.environ["PYTHONHASHSEED"] == "0")'
    lab.edit("toy", '"loss": draw()', f'"loss": {seen}')
    toy = lab.edit("toy", '{"pause": 0.0}', '{"pause": 0.0}, threads=2')
    run_experiment(toy, "smoke", lab.project)
    assert set(read_runs(lab.project.fresh("smoke", "toy"), toy)["loss"]) == {12.0}


USE_GPU = """    (trial.keep / f"worker-{os.getpid()}").touch()
    while len(list(trial.keep.glob("worker-*"))) < WORKERS:
        time.sleep(0.01)
    return Outcome({"loss": float(os.environ["CUDA_VISIBLE_DEVICES"][4:])})
"""


@pytest.fixture
def two_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose driver lists two GPUs; gives the folder of their locks."""
    driver, locks = tmp_path / "bin" / "nvidia-smi", tmp_path / "locks"
    driver.parent.mkdir()
    driver.write_text("#!/bin/sh\necho '0, GPU-7'\necho '1, GPU-8'\n")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", f"{driver.parent}:/bin:/usr/bin")
    monkeypatch.setattr(runner, "lease", partial(lease, locks=locks))
    return locks


@pytest.fixture
def run_on_two_gpus(lab, two_gpus):
    """Runs an experiment on a machine with two GPUs; gives the GPU of each run.

    Runs wait for each other until there are as many workers as expected.
    """

    def run(expected: int, workers: int | None = None) -> list[float]:
        lab.add()
        lab.edit("toy", "import random", f"import os\nimport random\n\nWORKERS = {expected}")
        toy = lab.edit("toy", "    time.sleep", USE_GPU + "    time.sleep")
        run_experiment(toy, "smoke", lab.project, workers=workers)
        return sorted(read_runs(lab.project.fresh("smoke", "toy"), toy)["loss"])

    return run


def test_each_worker_has_a_gpu_of_its_own(run_on_two_gpus) -> None:
    assert set(run_on_two_gpus(2)) == {7.0, 8.0}


def test_more_workers_share_the_gpus_evenly(run_on_two_gpus) -> None:
    assert run_on_two_gpus(4, workers=4) == [7.0, 7.0, 8.0, 8.0]


def test_a_gpu_that_another_job_holds_is_not_used(run_on_two_gpus, two_gpus: Path) -> None:
    with lease(["GPU-7"], 1, two_gpus):
        assert set(run_on_two_gpus(1)) == {8.0}


AT_ONCE = """

def run_together(sweep, trials):
    for seed in (0, 1):
        group = [trial for trial in trials if trial.seed == seed]
        yield group, lambda group=group: [run_beside(len(group), trial) for trial in group]


def run_beside(count: int, trial: Trial) -> Outcome:
    gpu = os.environ["CUDA_VISIBLE_DEVICES"]
    (trial.keep / f"{trial.condition['rate']}-{trial.seed}.txt").write_text(f"{gpu} {count}")
    return run(trial)


EXPERIMENT = Sweep(
    describe=dict,
    together=run_together,"""


@pytest.fixture
def toy_sweep(lab) -> Experiment:
    """The toy, which can also run the trials of one seed at once."""
    lab.add()
    lab.edit("toy", "import random", "import os\nimport random")
    lab.edit("toy", "Trial\n\n", "Trial\nfrom llmlab.method.declare.sweep import Sweep\n\n")
    return lab.edit("toy", "\n\nEXPERIMENT = Experiment(", AT_ONCE)


WAIT_FOR_TWO = """    (trial.keep / f"begun-{os.getpid()}").touch()
    while len(list(trial.keep.glob("begun-*"))) < 2:
        time.sleep(0.01)
"""


@pytest.mark.usefixtures("two_gpus")
def test_a_gpu_runs_its_share_of_a_sweep_at_once(lab, toy_sweep) -> None:
    # else the first process may have taken the second share before the other has started
    toy = lab.edit("toy", "    gpu = os.environ", WAIT_FOR_TWO + "    gpu = os.environ")
    told = []
    run_experiment(toy, "smoke", lab.project, report=lambda *event: told.append(event))
    assert told[0] == (0, 4, "starting, all runs of a GPU at once")
    folder = lab.project.fresh("smoke", "toy")
    seen = {path.stem: path.read_text() for path in folder.glob("kept/*-*.txt")}
    # one GPU gets the trials of one seed, since these come by turns
    assert sorted(seen) == ["0.1-0", "0.1-1", "1e-05-0", "1e-05-1"]
    assert {seen[f"{rate}-0"] for rate in ("0.1", "1e-05")} | {
        seen[f"{rate}-1"] for rate in ("0.1", "1e-05")
    } == {"GPU-7 2", "GPU-8 2"}


def test_at_once_or_apart_a_sweep_gives_the_same_rows(
    lab, toy_sweep, request: pytest.FixtureRequest
) -> None:
    apart, at_once = lab.root / "apart", lab.root / "at_once"
    run_experiment(toy_sweep, "smoke", lab.project, out=apart)
    request.getfixturevalue("two_gpus")
    run_experiment(toy_sweep, "smoke", lab.project, out=at_once)
    tables = (folder / "smoke" / "toy" for folder in (apart, at_once))
    one, other = (rows(table, toy_sweep) for table in tables)
    assert one == other


@pytest.mark.usefixtures("two_gpus")
def test_a_group_that_raises_is_named_after_the_others_are_finished(lab, toy_sweep) -> None:
    wrong = '    if trial.seed:\n        raise ValueError("no")\n    gpu ='
    toy = lab.edit("toy", "    gpu =", wrong)
    sentence = "2 of 4 runs of toy raised, first rate=1e-05/seed=1: ValueError: no"
    with pytest.raises(LabError, match=sentence):
        run_experiment(toy, "smoke", lab.project, workers=1)
    assert len(part_files(lab.project.fresh("smoke", "toy"))) == 2


def test_what_is_needed_must_be_there_and_current(lab) -> None:
    base = lab.add(name="base")
    lab.add()
    lab.edit("toy", '"loss": draw()', '"loss": len((trial.needs["base"] / "0.txt").read_text())')
    toy = lab.edit("toy", "run=run", 'run=run, needs=["base"]')
    with pytest.raises(LabError, match=r"toy needs the results of base.*`llmlab run base --scal"):
        run_experiment(toy, "smoke", lab.project)
    run_experiment(base, "smoke", lab.project)
    assert run_experiment(toy, "smoke", lab.project).rows == 4
    lab.edit("base", "tokens=3", "tokens=4")
    assert make_plan(lab.load("toy"), "smoke", lab.project).unmet == ("base",)


def test_two_processes_do_not_run_the_same(lab) -> None:
    toy = lab.add()
    folder = lab.project.fresh("smoke", "toy")
    folder.mkdir(parents=True)
    with (
        FileLock(folder / LOCK),
        pytest.raises(LabError, match="another process is running toy at scale 'smoke'"),
    ):
        run_experiment(toy, "smoke", lab.project)


def test_a_folder_that_cannot_be_written_is_named(lab) -> None:
    (lab.root / "build").write_text("in the way")
    with pytest.raises(LabError, match=r"cannot write .*toy: .*; free some space, make the fol"):
        run_experiment(lab.add(), "smoke", lab.project)


@pytest.mark.usefixtures("inside")
def test_a_full_disk_is_one_sentence_and_the_same_command_carries_on(lab, llmlab: LlmLab) -> None:
    lab.add()
    lab.edit("toy", "[(0, 1.0), (1, draw())]", "[(step, draw()) for step in range(100)]")

    def allow_small_files_only() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))

    full = lab.llmlab("run", "toy", "--scale", "smoke", preexec_fn=allow_small_files_only)
    assert full.returncode == 1
    last = full.stderr.splitlines()[-1]
    assert last.startswith("error: cannot write ")
    assert last.endswith("then repeat the command.")
    folder = lab.project.fresh("smoke", "toy")
    assert part_files(folder) == {}
    assert llmlab("run", "toy", "--scale", "smoke").code == 0
    assert json.loads((folder / MANIFEST).read_text())["rows"] == 4


def test_the_report_tells_what_was_finished_before_and_each_run(lab) -> None:
    toy = lab.add()
    run_experiment(toy, "smoke", lab.project, seeds=[0])
    told = []
    run_experiment(toy, "smoke", lab.project, report=lambda *event: told.append(event))
    assert told[0] == (2, 4, "starting, each run in its own process")
    assert {event for _, _, event in told[1:]} == {"rate=1e-05/seed=1", "rate=0.1/seed=1"}
    assert told[-1][:2] == (4, 4)


@pytest.mark.parametrize("damage", ["deleted", "cut"])
def test_kept_files_that_were_damaged_are_published_again(lab, damage: str) -> None:
    toy = lab.add()
    manifest = run_experiment(toy, "smoke", lab.project)
    kept = lab.project.fresh("smoke", "toy") / "kept"
    assert sorted(manifest.kept) == ["0.txt", "1.txt"]
    shutil.rmtree(kept) if damage == "deleted" else (kept / "0.txt").write_text("")
    run_experiment(toy, "smoke", lab.project)
    assert (kept / "0.txt").read_text() == "weights of seed 0"


def test_runs_whose_own_kept_files_were_damaged_are_run_again(lab) -> None:
    toy = lab.add()
    run_experiment(toy, "smoke", lab.project)
    folder = lab.project.fresh("smoke", "toy")
    for path in folder.rglob("0.txt"):
        path.write_text("")
    run_experiment(toy, "smoke", lab.project)
    assert (folder / "kept" / "0.txt").read_text() == "weights of seed 0"


def test_what_a_kill_left_half_written_is_not_published(lab) -> None:
    toy = lab.add()
    run_experiment(toy, "smoke", lab.project, seeds=[0])
    (parts,) = lab.project.fresh("smoke", "toy").glob("parts/*/kept")
    (parts / ".weights.safetensors.4711").write_text("half")
    manifest = run_experiment(toy, "smoke", lab.project)
    published = lab.project.fresh("smoke", "toy") / "kept"
    assert sorted(path.name for path in published.iterdir()) == ["0.txt", "1.txt"]
    assert sorted(manifest.kept) == ["0.txt", "1.txt"]


def test_kept_files_without_room_are_one_sentence_and_leave_no_half(lab) -> None:
    toy = lab.add()
    run_experiment(toy, "smoke", lab.project, seeds=[0])
    (parts,) = lab.project.fresh("smoke", "toy").glob("parts/*/kept")
    (parts / "2.txt").symlink_to("2.txt")  # a link to itself cannot be copied
    with pytest.raises(LabError, match=r"kept: Too many levels of symbolic links; free"):
        run_experiment(toy, "smoke", lab.project)
    assert not (parts.parents[2] / ".kept.new").exists()


def test_a_manifest_counts_the_runs_at_each_commit(lab) -> None:
    toy = lab.add()
    run_experiment(toy, "smoke", lab.project, seeds=[0])
    git_init(lab.root)
    manifest = run_experiment(toy, "smoke", lab.project)
    assert manifest.commits == {"unknown": 2, manifest.git_commit: 2}


def git_init(root: Path) -> None:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    for command in (["init"], ["add", "src"], ["commit", "-m", "first"]):
        subprocess.run(["git", *identity, *command], cwd=root, check=True, capture_output=True)
