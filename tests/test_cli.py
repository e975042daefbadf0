import errno
import io
import json
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from calling import LlmLab, exit_status

from llmlab.cli import main
from llmlab.method.running.runner import run_experiment

HEAVY = ["torch", "pandas", "matplotlib", "jupytext", "nbformat", "snakemake", "transformers"]


@pytest.fixture
def llmlab(llmlab: LlmLab, lab, monkeypatch: pytest.MonkeyPatch) -> LlmLab:
    """Runs `llmlab` in the lab."""
    monkeypatch.chdir(lab.root)
    return llmlab


def test_the_version_is_that_of_the_package(llmlab: LlmLab) -> None:
    assert llmlab("--version").out.split() == ["llmlab", metadata.version("llmlab")]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
@pytest.mark.parametrize("arguments", [["run", "--help"], ["run", "t\u0151y\u2026", "-s", "smoke"]])
def test_a_terminal_of_few_characters_is_enough(
    lab, monkeypatch: pytest.MonkeyPatch, encoding: str, arguments: list[str]
) -> None:
    lab.add()
    monkeypatch.chdir(lab.root)
    terminal = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(sys, "stderr", terminal)
    exit_status(monkeypatch, *arguments)
    terminal.flush()
    said = terminal.buffer.getvalue()
    assert b"Usage: llmlab run" in said or said.startswith(b"error: unknown experiment 't\\u0151y")


def test_a_terminal_of_no_width_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "0")
    exit_status(monkeypatch, "run", "--help")
    assert "Usage: llmlab run" in capsys.readouterr().out


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_python_without_docstrings_is_named_as_the_cause(
    llmlab: LlmLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "__doc__", None)  # as PYTHONOPTIMIZE=2 does
    done = llmlab("status")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error: Python drops all docstrings (PYTHONOPTIMIZE=2 or -OO)")


def test_an_output_without_room_is_one_sentence() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "llmlab", "run", "--help"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.decode() == (
        "error: cannot write the output: No space left on device; free some space, or write "
        "elsewhere.\n"
    )


def modules_after(lab, *arguments: str) -> set[str]:
    """What `llmlab` with these arguments has imported in the end."""
    code = (
        "import sys\nfrom llmlab.cli import main\n"
        f"sys.argv = ['llmlab', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command,
        cwd=lab.root,
        env={"PYTHONPATH": str(lab.root / "src"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.split())


def test_run_makes_the_tables_and_tells_its_progress_in_plain_lines(lab, llmlab) -> None:
    lab.add()
    done = llmlab("run", "toy", "--scale", "smoke")
    assert done.code == 0
    assert done.out == "4 runs, tables in build/results/smoke/toy\n"
    lines = done.err.splitlines()
    assert lines[0] == "toy smoke 0/4, 0:00:00 elapsed: starting, each run in its own process"
    assert re.match(r"toy smoke 4/4, \S+ elapsed, about 0:00:00 left: rate=", lines[-1])


def test_some_seeds_into_another_folder(lab, llmlab, tmp_path) -> None:
    lab.add()
    out = tmp_path / "elsewhere"
    first = llmlab("run", "toy", "-s", "smoke", "--seeds", "0", "--out", str(out))
    assert "run the other seeds" in first.out
    second = llmlab("run", "toy", "-s", "smoke", "--seeds", "1", "--out", str(out))
    assert second.out == f"4 runs, tables in {out}/smoke/toy\n"
    assert not (lab.root / "build").exists()


def test_a_dry_run_prints_the_whole_plan_and_writes_nothing(lab, llmlab) -> None:
    run_experiment(lab.add(), "laptop", lab.project, seeds=[1])
    before = sorted(lab.root.rglob("*"))
    shown = llmlab("run", "toy", "-s", "laptop", "--dry-run", "--workers", "3").out
    for part in ("A toy (toy, laptop)", "1e-05", "0, 1, 2", "1 of 3", "pause=0.05"):
        assert part in shown
    assert "3 in parallel, 1 threads each" in shown
    assert "6 runs to do." in shown
    assert sorted(lab.root.rglob("*")) == before


def test_a_dry_run_names_what_is_needed_first_and_what_is_done(lab, llmlab) -> None:
    base = lab.add(name="base")
    lab.add()
    lab.edit("toy", "run=run", 'run=run, needs=["base"]')
    run_experiment(base, "smoke", lab.project, seeds=[0])
    shown = llmlab("run", "toy", "-s", "smoke", "--dry-run").out
    assert "needs first: llmlab run base --scale smoke" in shown
    run_experiment(base, "smoke", lab.project)
    shown = llmlab("run", "base", "-s", "smoke", "--dry-run").out
    assert "The tables are current: nothing to do." in shown


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "tyo", "-s", "smoke"], "unknown experiment 'tyo' (did you mean 'toy'?)"),
        (["run", "toy", "-s", "smok"], "unknown scale 'smok' (did you mean 'smoke'?)"),
        (["run", "toy", "-s", "gpu"], "toy has no budget for scale 'gpu'; use one of smoke, lapt"),
        (
            ["run", "toy", "-s", "smoke", "--seeds", "x"],
            "'x' does not name seeds; give numbers such as 0,1 or 0-4",
        ),
        (["run", "toy", "-s", "smoke", "--seeds", ""], "'' does not name seeds"),
        (["record", "toy", "-s", "smoke"], "toy has no complete results at scale 'smoke'"),
        (["record", "toy", "-s", "smok"], "unknown scale 'smok'"),
        (["record", "toy"], "name experiments and their --scale, or give only --all"),
        (["record"], "name experiments and their --scale, or give only --all"),
        (["record", "-s", "smoke"], "name experiments and their --scale, or give only --all"),
        (["record", "toy", "--all"], "name experiments and their --scale, or give only --all"),
        (["reproduce", "-s", "smok"], "unknown scale 'smok' (did you mean 'smoke'?)"),
        (["verdicts", "-s", "smok"], "unknown scale 'smok' (did you mean 'smoke'?)"),
        (["verdicts", "-s", ""], "unknown scale ''"),
        (["verdicts", "toy", "--keep"], "--keep adds all new verdicts; leave out what else"),
        (["predict", "--model", "7B", "--tokens", ""], "--tokens cannot be ; write a positive"),
        (["book", "changes", "--since", ""], "git finds no tag or commit"),
        (["verdicts"], "chapters/hypotheses/questions.toml is missing"),
        (["new", "experiment", "A"], "'A' cannot name an experiment"),
        (
            ["book", "execute", "nowhere"],
            "_quarto.yml, which lists the chapters of the book, is missing",
        ),
        (["watch", "x" * 300], f"cannot use {'x' * 300}: File name too long; name another path."),
        (["curves", "a\n\x1b[2J.csv"], r"there is no file a\n\x1b[2J.csv: give the path"),
    ],
)
def test_what_the_user_can_mend_is_one_line_and_writes_nothing(
    lab, llmlab, arguments: list[str], sentence: str
) -> None:
    lab.add()
    before = sorted(lab.root.rglob("*"))
    done = llmlab(*arguments)
    assert done.code == 1
    assert done.out == ""
    assert done.err.startswith(f"error: {sentence}")
    assert done.err.count("\n") == 1
    assert sorted(lab.root.rglob("*")) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--batch-size"],
        ["finetune", "--batch-size"],
        ["finetune", "--alpha"],
        ["sleep", "koans", "list", "--generated"],
        ["generate", "run", "--tokens"],
        ["fit", "runs.csv", "--loss", "loss", "--resamples"],
        ["market", "search", "--seed"],
    ],
)
def test_a_number_beyond_all_bounds_is_refused_before_any_work(
    llmlab, arguments: list[str]
) -> None:
    done = llmlab(*arguments, "9" * 20)
    assert done.code == 2
    assert "less than or equal to" in " ".join(done.err.split())


def test_a_working_folder_that_was_removed_is_named(
    llmlab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def app(prog_name: str) -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")  # as os.getcwd does

    monkeypatch.setattr("llmlab.cli.app", app)
    said = llmlab("status")
    assert (said.code, said.err) == (
        1,
        "error: the working folder was removed: change to another one.\n",
    )


def test_outside_a_lab_book_every_command_says_so(lab, llmlab, tmp_path) -> None:
    (lab.root / "chapters" / "hypotheses").rmdir()
    done = llmlab("status")
    assert done.code == 1
    assert "is not inside a lab book" in done.err


def test_status_shows_each_experiment_at_each_scale(lab, llmlab) -> None:
    toy = lab.add()
    run_experiment(toy, "smoke", lab.project)
    lab.edit("toy", "tokens=3", "tokens=4")
    shown = llmlab("status").out
    assert "stale" in shown
    assert "fresh, run" in shown
    found = json.loads(llmlab("status", "--json").out)
    assert found["toy"]["laptop"]["word"] == "missing"
    assert found["toy"]["smoke"] == {
        "word": "stale",
        "reason": "run",
        "origin": "fresh",
    }


def test_recorded_results_are_compared_with_a_rerun(lab, llmlab) -> None:
    lab.add()
    assert "Nothing to compare at scale 'smoke'" in llmlab("reproduce").out
    llmlab("run", "toy", "--scale", "smoke")
    assert llmlab("record", "--all").out == "recorded results/smoke/toy\n"
    shown = llmlab("reproduce").out
    assert "4 of 4" in shown
    assert "agrees" in shown
    (found,) = json.loads(llmlab("reproduce", "--json").out)
    assert (found["experiment"], found["agrees"], found["drifted"]) == ("toy", True, [])


def test_verdicts_of_an_empty_ledger_are_an_empty_list(lab, llmlab) -> None:
    for kind in ("questions", "hypotheses", "tracks"):
        (lab.project.ledger / f"{kind}.toml").write_text("")
    assert json.loads(llmlab("verdicts", "--json").out) == []


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("toi", "unknown experiment 'toi' (did you mean 'toy'?)"),
        ("toy", "no hypothesis names the experiment toy; add one to chapters/hypotheses/"),
    ],
)
def test_an_experiment_without_verdicts_is_named(lab, llmlab, name: str, sentence: str) -> None:
    lab.add()
    for kind in ("questions", "hypotheses", "tracks"):
        (lab.project.ledger / f"{kind}.toml").write_text("")
    assert sentence in llmlab("verdicts", name).err


def test_a_new_experiment_goes_all_the_way_to_a_verdict(ledger_lab, llmlab) -> None:
    made = llmlab("new", "experiment", "batch_size").out.splitlines()
    assert made[0] == "chapters/hypotheses/questions.toml"
    assert "commit the first two before any result" in made[-2]
    assert "`llmlab run batch_size --scale smoke`" in made[-1]
    assert "UNTESTED" in llmlab("verdicts").out
    llmlab("run", "batch_size", "--scale", "laptop")
    assert "SUPPORTED" in llmlab("verdicts").out
    (found,) = json.loads(llmlab("verdicts", "batch_size", "--json").out)
    assert (found["hypothesis"]["id"], found["n"]) == ("H-BATCH-SIZE-1", 10)


@pytest.mark.parametrize("command", [["status"], ["run", "toy", "-s", "smoke", "--dry-run"]])
def test_quick_commands_load_nothing_heavy(lab, command: list[str]) -> None:
    lab.add()
    assert modules_after(lab, *command).isdisjoint(HEAVY)


def test_a_run_needs_no_notebook_plot_or_pipeline(lab) -> None:
    lab.add()
    loaded = modules_after(lab, "run", "toy", "-s", "smoke")
    assert loaded.isdisjoint(set(HEAVY) - {"pandas"})


@pytest.mark.parametrize(
    "command",
    [[], ["run"], ["status"], ["verdicts"], ["record"], ["reproduce"], ["new", "experiment"]],
)
def test_every_command_explains_itself(llmlab, command: list[str]) -> None:
    shown = llmlab(*command, "--help")
    assert shown.code == 0
    assert "Usage: llmlab" in shown.out


def test_closed_streams_are_the_null_device(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("stdin", "stdout", "stderr")
    for name in names:
        monkeypatch.setattr(sys, name, None)
    assert exit_status(monkeypatch, "--help") == 0
    for name in names:
        with getattr(sys, name) as stream:
            assert stream.name == os.devnull


@pytest.mark.parametrize("place", ["", "."])
@pytest.mark.parametrize(
    "command", [("inspect", "run"), ("sleep", "run"), ("book", "changes")], ids=" ".join
)
def test_a_folder_is_no_file_to_write(llmlab: LlmLab, command: tuple[str, str], place: str) -> None:
    refused = llmlab(*command, "--out", place)
    assert (refused.code, refused.err) == (1, "error: . is a folder: name a file to write.\n")
