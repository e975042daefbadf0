"""A tiny repository whose manifests have fingerprints of the older form, made by its older rule."""

import hashlib
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pytest

from llmlab.cli import app
from llmlab.method.evidence.fingerprint import Fingerprint
from llmlab.method.evidence.manifest import MANIFEST, Manifest, read_manifest, write_manifest
from llmlab.method.evidence.reach import reach
from llmlab.method.evidence.restamp import restamp
from llmlab.method.project import Project

FILES = {
    "src/llmlab/__init__.py": "",
    "src/llmlab/method/__init__.py": "",
    "src/llmlab/method/catalog.py": """
from importlib import import_module


def load_experiment(name):
    return import_module(f"llmlab.experiments.{name}").EXPERIMENT
""",
    # whole modules count, as they did in the older form
    "src/llmlab/method/digest.py": """
import hashlib
from dataclasses import dataclass
from pathlib import Path

import llmlab.experiments


@dataclass(frozen=True)
class Fingerprint:
    code: dict
    budget: str
    settings: str
    needs: dict


def fingerprint(experiment, scale):
    source = Path(llmlab.experiments.__file__).with_name(f"{experiment.name}.py").read_bytes()
    code = {f"llmlab.experiments.{experiment.name}": hashlib.sha256(source).hexdigest()}
    needs = {name: "older" for name in experiment.needs}
    return Fingerprint(code, f"{scale} budget", "settings", needs)
""",
    "src/llmlab/experiments/__init__.py": """
from dataclasses import dataclass
from typing import Callable


@dataclass(frozen=True)
class Experiment:
    name: str
    run: Callable
    needs: tuple = ()
""",
    "src/llmlab/experiments/base.py": """
from llmlab.experiments import Experiment


def run(trial):
    return 1


EXPERIMENT = Experiment("base", run)
""",
    "src/llmlab/experiments/toy.py": """
from llmlab.experiments import Experiment


def run(trial):
    return 2


EXPERIMENT = Experiment("toy", run, needs=("base",))
""",
    "chapters/hypotheses/questions.toml": "",
}


@dataclass(frozen=True)
class Repository:
    """A clone with recorded results of an older form, whose code has moved on since."""

    root: Path

    @property
    def toy(self) -> Path:
        return self.root / "results" / "smoke" / "toy"

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
        command = ["git", *identity, *arguments]
        done = subprocess.run(command, cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def restamped(self) -> dict[str, str]:
        """What became of each manifest of the smoke scale, by experiment."""
        return {found.experiment: found.reason for found in restamp(Project(self.root))}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    found = Repository(tmp_path)
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found.git("init")
    found.git("add", ".")
    found.git("commit", "-m", "code of the results")
    commit = found.git("rev-parse", "HEAD")
    for name, needs in (("base", {}), ("toy", {"base": "older"})):
        manifest = older_manifest(tmp_path, name, needs, commit)
        (tmp_path / "results" / "smoke" / name).mkdir(parents=True)
        write_manifest(tmp_path / "results" / "smoke" / name, manifest)
    toy = tmp_path / "src/llmlab/experiments/toy.py"
    toy.write_text(toy.read_text().replace("return 2", "return 3"))
    found.git("commit", "-a", "-m", "code of today")
    return found


def older_manifest(root: Path, name: str, needs: dict[str, str], commit: str) -> Manifest:

    source = (root / f"src/llmlab/experiments/{name}.py").read_bytes()
    code = {f"llmlab.experiments.{name}": hashlib.sha256(source).hexdigest()}
    return Manifest(
        experiment=name,
        scale="smoke",
        fingerprint=Fingerprint("smoke budget", "settings", needs, code=code),
        git_commit=commit,
        git_dirty=False,
        command=f"llmlab run {name} --scale smoke",
        started="2026-01-01T00:00:00+00:00",
        finished="2026-01-01T00:01:00+00:00",
        host="Linux x86_64",
        device="2 x CPU",
        libraries={"python": "3.11"},
        seeds=(0, 1),
        rows=4,
        sha256={"runs.csv": "23"},
        judged_before=(1,),
    )


def test_a_manifest_gets_the_new_fingerprint_of_the_code_that_made_it(
    repository: Repository, tmp_path_factory: pytest.TempPathFactory
) -> None:
    before = read_manifest(repository.toy)
    assert repository.restamped() == {"base": "", "toy": ""}
    after = read_manifest(repository.toy)
    assert replace(after, fingerprint=before.fingerprint) == before  # dates, rows, looks, commit
    then = tmp_path_factory.mktemp("then") / "tree"
    repository.git("worktree", "add", "--detach", str(then), before.git_commit)
    code = reach(then / "src", "llmlab.experiments.toy", "EXPERIMENT")
    assert (after.fingerprint.reach, after.fingerprint.code) == (code.digest, code.code)
    now = reach(repository.root / "src", "llmlab.experiments.toy", "EXPERIMENT")
    assert after.fingerprint.reach != now.digest
    base = read_manifest(repository.toy.with_name("base")).fingerprint
    assert after.fingerprint.needs == {"base": base.digest}
    assert (after.fingerprint.budget, after.fingerprint.settings) == ("smoke budget", "settings")


def test_a_manifest_of_the_present_form_is_left_alone(repository: Repository) -> None:
    repository.restamped()
    written = (repository.toy / MANIFEST).read_bytes()
    assert repository.restamped() == dict.fromkeys(("base", "toy"), "it has the present form")
    assert (repository.toy / MANIFEST).read_bytes() == written


def unlike_its_code(manifest: Manifest) -> Manifest:
    return replace(manifest, fingerprint=replace(manifest.fingerprint, budget="another"))


REASONS: dict[str, tuple[Callable[[Manifest], Manifest], str]] = {
    "dirty": (lambda manifest: replace(manifest, git_dirty=True), "its code was not committed"),
    "other code": (unlike_its_code, "is not the code that made it"),
    "unknown commit": (
        lambda manifest: replace(manifest, git_commit="0" * 40),
        "commit 000000000000 is not in this clone; fetch it with `git fetch --unshallow`.",
    ),
    "no such experiment": (
        lambda manifest: replace(manifest, experiment="gone"),
        "its code no longer runs (ModuleNotFoundError: No module named",
    ),
}


@pytest.mark.parametrize("case", REASONS)
def test_what_cannot_be_restamped_is_left_with_the_reason(
    case: str, repository: Repository
) -> None:
    spoil, reason = REASONS[case]
    spoilt = spoil(read_manifest(repository.toy))
    write_manifest(repository.toy, spoilt)
    assert reason in repository.restamped()[spoilt.experiment]
    assert asdict(read_manifest(repository.toy)) == asdict(spoilt)


def test_the_command_says_what_became_of_each(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_manifest(repository.toy, replace(read_manifest(repository.toy), git_dirty=True))
    monkeypatch.chdir(repository.root)
    app(["restamp"], standalone_mode=False)
    assert capsys.readouterr().out.splitlines() == [
        "smoke base: restamped",
        "smoke toy: its code was not committed",
    ]
