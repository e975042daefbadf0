"""Convert fingerprints of an older form, using the code that made the results.

The form changes with the rule for taking fingerprints. The commit of each manifest is checked out
in a worktree and its own rule is applied. Only if that gives the fingerprint in the manifest is it
replaced by one of the present form, taken from the same tree. Dates, rows and looks never change.
"""

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from llmlab.method.declare.experiment import SCALES
from llmlab.method.errors import LabError
from llmlab.method.evidence.fingerprint import Fingerprint
from llmlab.method.evidence.manifest import MANIFEST, Manifest, read_manifest, write_manifest
from llmlab.method.evidence.reach import reach
from llmlab.method.git import worktree
from llmlab.method.locks import writing_results
from llmlab.method.project import Project


@dataclass(frozen=True)
class Restamped:
    """The outcome for one manifest; `reason` says why it was left unchanged, or is empty."""

    experiment: str
    scale: str
    reason: str


def restamp(project: Project) -> list[Restamped]:
    """Give every recorded manifest of an older form a fingerprint of the present one."""
    with writing_results(project):
        return [_restamped(project, folder) for folder in _recorded(project)]


def _recorded(project: Project) -> list[Path]:
    found = (project.root / "results" / scale for scale in SCALES)
    return sorted(path.parent for folder in found for path in folder.glob(f"*/{MANIFEST}"))


def _restamped(project: Project, folder: Path) -> Restamped:
    manifest = read_manifest(folder)
    name, scale = manifest.experiment, manifest.scale
    if manifest.fingerprint.reach:
        return Restamped(name, scale, "it has the present form")
    if manifest.git_dirty:
        return Restamped(name, scale, "its code was not committed")
    try:
        with worktree(project.root, manifest.git_commit) as tree:
            fingerprint = _fingerprint_then(tree, manifest)
    except LabError as error:
        return Restamped(name, scale, str(error))
    write_manifest(folder, replace(manifest, fingerprint=fingerprint))
    return Restamped(name, scale, "")


THEN = """
import json, sys
from dataclasses import asdict
from llmlab.method.catalog import load_experiment
from llmlab.method.digest import fingerprint

def told(name, scale):
    experiment = load_experiment(name)
    needs = {needed: told(needed, scale) for needed in experiment.needs}
    return {"fingerprint": asdict(fingerprint(experiment, scale)), "needs": needs}

print(json.dumps(told(*sys.argv[1:])))
"""
"""Computes fingerprints of the older form, which covers whole modules, with a commit's code."""


def _fingerprint_then(tree: Path, manifest: Manifest) -> Fingerprint:
    """The fingerprint, in the present form, of the code in `tree` that made the results."""
    done = subprocess.run(
        [sys.executable, "-c", THEN, manifest.experiment, manifest.scale],
        cwd=tree,
        env={"PYTHONPATH": str(tree / "src"), "PATH": "", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:]
        raise LabError(f"its code no longer runs ({''.join(last)})")
    told = json.loads(done.stdout)
    if told["fingerprint"] != _as_written(manifest):
        raise LabError(f"the code of {manifest.git_commit[:12]} is not the code that made it")
    return _renewed(tree, manifest.experiment, told)


def _as_written(manifest: Manifest) -> dict[str, object]:
    """The fingerprint of a manifest in its older form."""
    older = manifest.fingerprint
    return {
        "code": dict(older.code),
        "budget": older.budget,
        "settings": older.settings,
        "needs": dict(older.needs),
    }


def _renewed(tree: Path, name: str, told: dict) -> Fingerprint:
    code = reach(tree / "src", f"llmlab.experiments.{name}", "EXPERIMENT")
    return Fingerprint(
        budget=told["fingerprint"]["budget"],
        settings=told["fingerprint"]["settings"],
        needs={needed: _renewed(tree, needed, of).digest for needed, of in told["needs"].items()},
        reach=code.digest,
        code=code.code,
        whole=code.whole,
    )
