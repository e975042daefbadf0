"""A small lab book with one experiment, whose runs are made up by a formula."""

import shutil
import sys
from pathlib import Path
from textwrap import dedent

import pytest

import llmlab.experiments
from llmlab.book.press.contents import read_contents
from llmlab.book.press.execute import execute_chapter
from llmlab.book.press.render import render_book
from llmlab.method.checksums import file_sha256
from llmlab.method.declare.catalog import load_experiment
from llmlab.method.declare.experiment import Trial
from llmlab.method.evidence import modules
from llmlab.method.evidence.fingerprint import fingerprint
from llmlab.method.evidence.manifest import Manifest, write_manifest
from llmlab.method.evidence.tables import (
    CURVES,
    RUNS,
    curves_frame,
    runs_frame,
    write_curves,
    write_runs,
)
from llmlab.method.project import Project

EXPERIMENT = '''
"""Which dose works best?"""

import random

from llmlab.method.declare.experiment import Axis, Budget, Experiment, Metric, Outcome, Trial


def run(trial: Trial) -> Outcome:
    dose, rule = trial.condition["dose"], trial.condition["rule"]
    rng = random.Random(trial.run_id)
    gain = {0.01: 0.2, 0.1: 0.5, 1.0: 0.52, 10.0: 0.1}[dose] + (0.1 if rule == "b" else 0.0)
    if dose == 10.0 and trial.seed == 0:
        return EXPERIMENT.diverged(curves={"loss": [(0, 1.0)]})
    score = gain + rng.gauss(0, 0.02)
    curve = [(step, 2.0 - score * step / 10) for step in range(0, 11, 5)]
    return Outcome(metrics={"score": score, "loss": 1 - score}, curves={"loss": curve}, tokens=10)


EXPERIMENT = Experiment(
    name="dose",
    title="The dose",
    question="Q-DOSE",
    summary="Gives four doses under two rules.",
    axes=(Axis("dose", "Amount given.", "mg"), Axis("rule", "How it is given.")),
    metrics=(
        Metric("score", "Share of points.", "share", "higher", tolerance=0.05),
        Metric("loss", "What is lost.", "nats", "lower", tolerance=0.1),
    ),
    curves=(Metric("loss", "Loss of a batch.", "nats", "lower"),),
    selection_metric="loss",
    budgets={
        scale: Budget({"dose": (0.01, 0.1, 1.0, 10.0), "rule": ("a", "b")}, seeds, {"steps": 10})
        for scale, seeds in {"smoke": 1, "laptop": 10}.items()
    },
    run=run,
)
'''

HYPOTHESIS = """
[[hypothesis]]
id = "{id}"
question = "Q-DOSE"
experiment = "dose"
title = "{id} in words"
statement = "What is claimed of it."
reason = "A theory of doses."
family = "dose"
registered = 2026-01-31
"""

LEDGER = {
    "questions.toml": """
        [[question]]
        id = "Q-DOSE"
        text = "Which dose works best?"
        track = "medicine"
        """,
    "tracks.toml": """
        [[track]]
        id = "medicine"
        title = "Medicine"
        goal = "To know the dose."
        [[track.phase]]
        id = "first"
        title = "First"
        goal = "A dose is known."
        [[track.phase.feature]]
        title = "The dose"
        experiments = ["dose"]
        questions = ["Q-DOSE"]
        """,
}
CLAIMS = {
    "H-UP": 'metric = "score"\nclaim = "greater"\nmargin = 0.1\n'
    'treatment = { dose = 0.1, rule = "a" }\ncontrol = { dose = 0.01, rule = "a" }',
    "H-DOWN": 'metric = "score"\nclaim = "less"\nmargin = 0.1\n'
    'treatment = { dose = 0.1, rule = "a" }\ncontrol = { dose = 0.01, rule = "a" }',
    "H-SAME": 'metric = "score"\nclaim = "equivalent"\nmargin = 0.02\n'
    'treatment = { dose = 0.1, rule = "a" }\ncontrol = { dose = 1.0, rule = "a" }',
    "H-TREND": 'metric = "score"\nclaim = "monotone"\nmargin = 0.5\nalong = "dose"\n'
    'direction = "increasing"\n'
    'treatment = { rule = "a" }',
    "H-BEST": 'metric = "score"\nclaim = "interval"\nbest = "dose"\ninterval = [0.05, 5]\n'
    'treatment = { rule = "a" }',
    "H-MARK": 'metric = "score"\nclaim = "greater"\nreference = 0.4\nmargin = 0.0\n'
    'treatment = { dose = 0.1, rule = "a" }',
}


@pytest.fixture(scope="session")
def judgements(tmp_path_factory) -> Path:
    """Judgements of all books, which a digest of all that they rest on names."""
    return tmp_path_factory.mktemp("judgements")


@pytest.fixture
def book(tmp_path, judgements, monkeypatch) -> Project:
    """A project with a ledger and the experiment `dose`, but no tables; the working directory."""
    package = tmp_path / "src" / "llmlab" / "experiments"
    package.mkdir(parents=True)
    (package / "dose.py").write_text(EXPERIMENT)
    monkeypatch.setattr(llmlab.experiments, "__path__", [str(package)])
    monkeypatch.setattr(modules, "SOURCE", tmp_path / "src")
    monkeypatch.delitem(sys.modules, "llmlab.experiments.dose", raising=False)
    monkeypatch.delattr(llmlab.experiments, "dose", raising=False)
    root = tmp_path / "book"
    ledger = root / "chapters" / "hypotheses"
    ledger.mkdir(parents=True)
    for name, text in LEDGER.items():
        (ledger / name).write_text(dedent(text))
    hypotheses = [HYPOTHESIS.format(id=name) + claim for name, claim in CLAIMS.items()]
    (ledger / "hypotheses.toml").write_text("\n".join(hypotheses))
    (root / "build").mkdir()
    (root / "build" / "judgements").symlink_to(judgements)
    monkeypatch.chdir(root)
    yield Project(root)
    sys.modules.pop("llmlab.experiments.dose", None)


def record(project: Project, scale: str) -> Path:
    """Run the experiment `dose` at one scale and record its tables."""
    experiment = load_experiment("dose")
    folder = project.recorded(scale, "dose")
    budget = experiment.budgets[scale]
    rows, points = [], []
    for condition in experiment.conditions(scale):
        for seed in range(budget.seeds):
            trial = Trial("dose", scale, condition, seed, budget.settings, {}, folder)
            outcome = experiment.run(trial)
            rows.append(
                {
                    "run_id": trial.run_id,
                    **condition,
                    "seed": seed,
                    **outcome.metrics,
                    "status": outcome.status,
                    "seconds": 1.0,
                    "tokens": outcome.tokens,
                    "peak_memory_mib": 1.0,
                }
            )
            points += [
                (trial.run_id, name, step, y)
                for name, curve in outcome.curves.items()
                for step, y in curve
            ]
    write_runs(folder, runs_frame(experiment, rows))
    write_curves(folder, curves_frame(points))
    write_manifest(
        folder,
        Manifest(
            experiment="dose",
            scale=scale,
            fingerprint=fingerprint(experiment, scale),
            git_commit="0123456789abcdef",
            git_dirty=False,
            command=f"llmlab run dose --scale {scale}",
            started="2026-01-31T10:00:00Z",
            finished="2026-01-31T10:01:00Z",
            host="Linux x86_64",
            device="2 x Abacus",
            libraries={"numpy": "2.0"},
            seeds=tuple(range(budget.seeds)),
            rows=len(rows),
            sha256={name: file_sha256(folder / name) for name in (RUNS, CURVES)},
        ),
    )
    return folder


@pytest.fixture(scope="session")
def laptop_tables(tmp_path_factory) -> Path:
    """A folder for what the first book records at laptop scale; the others take it over."""
    return tmp_path_factory.mktemp("tables") / "dose"


@pytest.fixture
def recorded_book(book, laptop_tables: Path) -> Project:
    """The same book with results recorded at laptop scale."""
    if laptop_tables.exists():
        shutil.copytree(laptop_tables, book.recorded("laptop", "dose"))
    else:
        shutil.copytree(record(book, "laptop"), laptop_tables)
    return book


@pytest.fixture
def smoke_book(book) -> Project:
    """The same book with smoke results only."""
    record(book, "smoke")
    return book


@pytest.fixture
def sample(tmp_path) -> Project:
    """A book of four small chapters, not yet executed."""
    root = tmp_path / "sample"
    shutil.copytree(Path(__file__).parent / "sample", root)
    return Project(root)


@pytest.fixture(scope="session")
def executed_sample(tmp_path_factory) -> Project:
    """The same book with its chapters executed; not to be changed."""
    root = tmp_path_factory.mktemp("executed") / "sample"
    shutil.copytree(Path(__file__).parent / "sample", root)
    project = Project(root)
    for chapter in read_contents(project).chapters:
        execute_chapter(chapter.source, chapter.notebook, root)
    return project


@pytest.fixture(scope="session")
def rendered_sample(executed_sample) -> Path:
    """Its site by the preview renderer; not to be changed."""
    return render_book(executed_sample, renderer="preview").front_page.parent
