"""A small lab of its own for each test: a copy of the package with a toy for an experiment."""

import gc
import importlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import hypothesis
import pytest
from calling import LlmLab, Result, exit_status

import llmlab.experiments
from llmlab.method.declare.experiment import Experiment
from llmlab.method.evidence import modules
from llmlab.method.evidence.provenance import available_cores
from llmlab.method.project import Project
from llmlab.method.running import plan

# the same examples at every run, however busy the machine
hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True)
hypothesis.settings.load_profile("repeatable")

# the collector walks all that a long run holds, thousands of times by default
gc.freeze()
gc.set_threshold(100_000, 50, 100)

# a source that is changed twice within a second would pass for the one that was compiled in between
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"

# a shell's background job ignores Ctrl-C, and so would every process that a test interrupts
signal.signal(signal.SIGINT, signal.default_int_handler)

SOURCE = Path(llmlab.__file__).parent

UNCHANGED = ("method", "runs", "gpt", "finetune", "sleep", "market", "cluster", "book", "watch")
"""The rooms that no test changes: all labs of tests share one copy of them."""

ASSETS = shutil.ignore_patterns("assets")

TOY = '''
"""A toy that draws its numbers from the condition and the seed."""

import random
import time

from llmlab.method.declare.experiment import Axis, Budget, Experiment, Metric, Outcome, Trial


def run(trial: Trial) -> Outcome:
    time.sleep(trial.settings["pause"])
    draw = random.Random(f"{trial.condition} {trial.seed}").random
    (trial.keep / f"{trial.seed}.txt").write_text(f"weights of seed {trial.seed}")
    return Outcome({"loss": draw()}, {"loss": [(0, 1.0), (1, draw())]}, tokens=3)


EXPERIMENT = Experiment(
    name="toy",
    title="A toy",
    question="Q-TOY",
    summary="Draws numbers.",
    axes=(Axis("rate", "Learning rate."),),
    metrics=(Metric("loss", "Loss of the last batch.", "nats", "lower", tolerance=0.1),),
    curves=(Metric("loss", "Loss of one batch.", "nats", "lower"),),
    budgets={
        "smoke": Budget({"rate": [1e-05, 0.1]}, seeds=2, settings={"pause": 0.0}),
        "laptop": Budget({"rate": [1e-05, 0.1, 1]}, seeds=3, settings={"pause": 0.05}),
    },
    run=run,
)
'''


TRACK = """
[[track]]
id = "tuning"
title = "Tuning"
goal = "To tune."

[[track.phase]]
id = "first"
title = "First"
goal = "To begin."

[[track.phase.feature]]
title = "A file"
files = ["README.md"]
"""


@pytest.fixture(scope="session", autouse=True)
def _no_wait_for_the_disk() -> Iterator[None]:
    """Tests end processes, never the machine: what is written need not have reached the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


def pytest_xdist_auto_num_workers() -> int:
    """One worker more than cores: tests wait for processes that they start, stop and kill."""
    return available_cores() + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@dataclass(frozen=True)
class Lab:
    """A checkout of the book in a temporary folder, without the real experiments."""

    root: Path

    @property
    def project(self) -> Project:
        return Project(self.root)

    def path(self, experiment: str) -> Path:
        return self.root / "src" / "llmlab" / "experiments" / f"{experiment}.py"

    def add(self, source: str = TOY, name: str = "toy") -> Experiment:
        """Write the module of an experiment and import it."""
        self.path(name).write_text(dedent(source).replace('name="toy"', f'name="{name}"'))
        return self.load(name)

    def edit(self, experiment: str, old: str, new: str) -> Experiment:
        """Change the source of an experiment and import it anew."""
        source = self.path(experiment).read_text()
        assert old in source
        self.path(experiment).write_text(source.replace(old, new))
        return self.load(experiment)

    def load(self, experiment: str) -> Experiment:
        importlib.invalidate_caches()
        sys.modules.pop(f"llmlab.experiments.{experiment}", None)
        return importlib.import_module(f"llmlab.experiments.{experiment}").EXPERIMENT

    def start(
        self, *arguments: str, preexec_fn: Callable[[], None] | None = None, **environment: str
    ) -> subprocess.Popen:
        """Start `llmlab` with these arguments in the lab."""
        return subprocess.Popen(
            [sys.executable, "-m", "llmlab", *arguments],
            cwd=self.root,
            env=os.environ | {"PYTHONPATH": str(self.root / "src")} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=preexec_fn,
        )

    def llmlab(self, *arguments: str, **options: object) -> subprocess.CompletedProcess:
        """Run `llmlab` with these arguments in the lab to its end."""
        process = self.start(*arguments, **options)
        out, err = process.communicate(timeout=300)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)


@pytest.fixture(name="llmlab")
def called(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> LlmLab:
    """Runs `llmlab` with these arguments where the test is, on a wide terminal."""

    def call(*arguments: object) -> Result:
        monkeypatch.setenv("COLUMNS", "160")
        code = exit_status(monkeypatch, *arguments)
        said = capsys.readouterr()
        return Result(code, said.out, said.err)

    return call


@pytest.fixture(scope="session")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the rooms that no test changes, so that none can change the project itself."""
    folder = tmp_path_factory.mktemp("unchanged")
    for room in UNCHANGED:
        shutil.copytree(SOURCE / room, folder / room, ignore=ASSETS)
    return folder


@pytest.fixture
def lab(tmp_path: Path, unchanged: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """An empty lab; experiments added to it can be imported here and in worker processes."""
    root = tmp_path / "lab"
    package = root / "src" / "llmlab"
    shutil.copytree(SOURCE, package, ignore=shutil.ignore_patterns(*UNCHANGED, "experiments"))
    for room in UNCHANGED:
        (package / room).symlink_to(unchanged / room)
    experiments = package / "experiments"
    experiments.mkdir()
    shutil.copy(SOURCE / "experiments" / "__init__.py", experiments)
    (root / "chapters" / "hypotheses").mkdir(parents=True)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(root / "src")
    monkeypatch.setattr(modules, "SOURCE", root / "src")
    # one worker process, unless a test asks for more: to start another takes longer than a toy
    monkeypatch.setattr(plan, "available_cores", lambda: 1)
    monkeypatch.setattr(llmlab.experiments, "__path__", [str(experiments)])
    known = {name: sys.modules[name] for name in list(sys.modules) if _is_experiment(name)}
    for name in known:
        monkeypatch.delitem(sys.modules, name)
    yield Lab(root)
    for name in [name for name in sys.modules if _is_experiment(name)]:
        del sys.modules[name]


@pytest.fixture
def ledger_lab(lab: Lab) -> Lab:
    """A lab with an empty ledger and a book of one chapter."""
    (lab.project.ledger / "tracks.toml").write_text(TRACK)
    (lab.project.ledger / "questions.toml").write_text("# Questions.\n")
    (lab.project.ledger / "hypotheses.toml").write_text("")
    (lab.root / "_quarto.yml").write_text(
        "book:\n  chapters:\n    - index.ipynb\n      - results/first.ipynb\n    - last.ipynb\n"
    )
    return lab


def _is_experiment(module: str) -> bool:
    return module.startswith("llmlab.experiments.")
