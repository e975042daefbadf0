"""Show that refactored code reproduces the recorded evidence bit for bit.

The experiment runs twice on this machine with the same libraries: with the code of a commit at
which the evidence is current, and with the present code. All outputs must be equal except seconds
and memory, and the run must execute every definition that changed: a rerun proves nothing about
code that it does not execute.
"""

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from llmlab.method.checksums import checksums, file_sha256
from llmlab.method.declare.catalog import load_experiment, scale_budget
from llmlab.method.declare.experiment import SCALES, Experiment
from llmlab.method.environment import CACHE_DIR
from llmlab.method.errors import LabError
from llmlab.method.evidence import modules
from llmlab.method.evidence.equivalence import Equivalence, write_equivalence
from llmlab.method.evidence.fingerprint import fingerprint, reached_code
from llmlab.method.evidence.lookup import Evidence, recorded_evidence
from llmlab.method.evidence.manifest import KEPT, read_manifest
from llmlab.method.evidence.provenance import device, git_state, host, libraries
from llmlab.method.evidence.reach import Place, Reach, reach
from llmlab.method.evidence.syntax import without_docstrings
from llmlab.method.git import worktree
from llmlab.method.locks import attesting, writing_results
from llmlab.method.project import Project
from llmlab.method.running.runner import run_experiment
from llmlab.method.running.trace import TRACE, Called, read_trace
from llmlab.method.running.worker import environment

PROCESSOR = re.compile(r"\d+ x ")
HALF = frozenset({"bfloat16", "bf16", "float16", "auto"})


def attest(project: Project, name: str, scale: str, commit: str | None = None) -> list[Path]:
    """Attest all recorded evidence of an experiment that is stale only because code changed.

    Args:
        scale: scale of both runs.
        commit: where the evidence was current; by default the commit that it was recorded at.

    Returns:
        The folders of the evidence that is now current by equivalence.

    Raises:
        LabError: there is nothing to attest; the evidence cannot be compared (it comes from a GPU
            or is not float32); something other than code changed; the runs differ; or they do not
            execute a definition that changed.
    """
    with attesting(project):
        return _attested(project, name, scale, commit)


def _attested(project: Project, name: str, scale: str, commit: str | None) -> list[Path]:
    experiment = load_experiment(name)
    scale_budget(experiment, scale)
    stale = [found for found in _recorded(project, experiment) if found.changes]
    if not stale:
        raise LabError(f"no recorded evidence of {name} is stale; there is nothing to attest.")
    for evidence in stale:
        _check_comparable(project, evidence)
    origins = list(_origins(project, stale, commit))
    here = project.build / "attest" / "here"
    called = _run_here(project, experiment, scale, here)
    proofs = [_proof(project, origin, scale, here, called) for origin in origins]
    return [
        _written(project, evidence, proof)
        for origin, proof in zip(origins, proofs, strict=True)
        for evidence in origin.evidence
    ]


@dataclass(frozen=True)
class _Origin:
    """Code that evidence comes from.

    Attributes:
        changed: the functions that are new or different now, and their locations.
    """

    commit: str
    evidence: tuple[Evidence, ...]
    changed: Mapping[str, Called]


@dataclass(frozen=True)
class _Proof:
    """What the runs with the code of an origin and with the present code share.

    Attributes:
        sha256: of the content, by file.
    """

    origin: _Origin
    scale: str
    rows: int
    sha256: Mapping[str, str]


def _origins(project: Project, stale: Sequence[Evidence], commit: str | None) -> Iterator[_Origin]:
    """The code that each piece of evidence comes from, at `commit` or where it was recorded.

    Raises:
        LabError: the code at that commit is another, or its files of data are.
    """
    left = list(stale)
    while left:
        experiment, at = left[0].experiment, commit or left[0].manifest.git_commit
        with worktree(project.root, at) as tree:
            before = reach(tree / "src", f"llmlab.experiments.{experiment.name}", "EXPERIMENT")
            now = reached_code(experiment)
            _check_same_data(experiment.name, now, tree / "src")
            changed = _changed_functions(before, now)
        ours = [one for one in left if one.manifest.fingerprint.reach == before.digest]
        left = [one for one in left if one not in ours]
        if not ours or (commit and left):
            raise LabError(
                f"the {left[0].scale} evidence of {experiment.name} does not come from the code of "
                f"{at[:12]}; name a commit at which it was current with --at."
            )
        yield _Origin(at, tuple(ours), changed)


def _check_same_data(name: str, now: Reach, source: Path) -> None:
    """Raise LabError if a file of data differs there: a run need not read all of it."""
    for path in now.data:
        if not path.is_relative_to(modules.SOURCE):  # the user's own, which both runs read
            continue
        there = source / path.relative_to(modules.SOURCE)
        if not there.is_file() or file_sha256(there) != file_sha256(path):
            raise LabError(
                f"{path.name} changed since that commit, and a run of {name} at a small scale need "
                "not read all of it; run the experiment again."
            )


def _proof(
    project: Project, origin: _Origin, scale: str, here: Path, called: set[Called]
) -> _Proof:
    """Run with the code of the origin, and compare with the run of the present code.

    Raises:
        LabError: the run there fails or has another budget, the runs differ, or they pass a change
            by.
    """
    experiment = origin.evidence[0].experiment
    _check_executed(experiment.name, origin.changed, called)
    there = project.build / "attest" / origin.commit
    with worktree(project.root, origin.commit) as tree:
        _run_there(tree, experiment, scale, there)
    folders = [side / scale / experiment.name for side in (there, here)]
    _check_same_budget(experiment.name, scale, origin.commit, *folders)
    sha256, rows = _compared(experiment, *folders)
    return _Proof(origin, scale, rows, sha256)


def _check_same_budget(name: str, scale: str, commit: str, there: Path, here: Path) -> None:
    """Raise LabError if the two runs had other conditions, seeds or settings."""
    then, now = (read_manifest(folder).fingerprint for folder in (there, here))
    if (then.budget, then.settings) != (now.budget, now.settings):
        raise LabError(
            f"{name} had another {scale} budget at {commit[:12]}, so its runs cannot be compared; "
            "name a later commit at which its evidence was current with --at."
        )


def _recorded(project: Project, experiment: Experiment) -> Iterator[Evidence]:
    found = (recorded_evidence(project, experiment.name, scale) for scale in SCALES)
    return filter(None, found)


def _check_comparable(project: Project, evidence: Evidence) -> None:
    """Raise LabError for evidence that no rerun here can confirm."""
    what = f"the {evidence.scale} evidence of {evidence.experiment.name}"
    manifest = evidence.manifest
    budget = evidence.experiment.budgets[evidence.scale]
    values = {*map(str, budget.settings.values())}
    values |= {str(level) for levels in budget.conditions.values() for level in levels}
    if manifest.fingerprint.together or not all(
        PROCESSOR.match(part) for part in manifest.device.split(" + ")
    ):
        raise LabError(f"{what} comes from {manifest.device}; rerun it there instead.")
    if values & HALF:
        raise LabError(f"{what} is not float32, so bits may differ by chance; rerun it.")
    for change in evidence.changes:
        needed = change.removeprefix("needs ")
        if change in ("budget", "the form of fingerprints"):
            raise LabError(f"{what} is stale because {change} changed, not only code; rerun it.")
        if needed != change and not _is_attested(project, needed, evidence.scale):
            raise LabError(f"{what} needs {needed}; attest that first, or rerun both.")


def _is_attested(project: Project, name: str, scale: str) -> bool:
    evidence = recorded_evidence(project, name, scale)
    return evidence is not None and evidence.equivalence is not None


# running


def _run_there(tree: Path, experiment: Experiment, scale: str, out: Path) -> None:
    """Run an experiment and what it needs with the code in `tree`."""
    cache = _emptied(out, scale, experiment)
    for name in (*_all_needs(experiment), experiment.name):
        command = [sys.executable, "-m", "llmlab", "run", name, "--scale", scale, "--out", out]
        done = subprocess.run(
            list(map(str, command)),
            cwd=tree,
            env=os.environ | {"PYTHONPATH": str(tree / "src"), CACHE_DIR: str(cache)},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if done.returncode:
            last = "".join(done.stderr.strip().splitlines()[-1:])
            raise LabError(
                f"{name} no longer runs at that commit ({last}); name another one with --at."
            )


def _run_here(project: Project, experiment: Experiment, scale: str, out: Path) -> set[Called]:
    """Run an experiment with the present code, and return the functions that its workers called."""
    cache = _emptied(out, scale, experiment)
    trace = out / "trace"
    shutil.rmtree(trace, ignore_errors=True)
    trace.mkdir(parents=True)
    with environment({CACHE_DIR: str(cache)}):
        for name in _all_needs(experiment):
            run_experiment(load_experiment(name), scale, project, out=out)
        with environment({TRACE: str(trace)}):
            run_experiment(experiment, scale, project, out=out)
    return read_trace(trace)


def _emptied(out: Path, scale: str, experiment: Experiment) -> Path:
    """Remove the runs of an earlier proof, and its cache; returns the folder of the cache.

    Each side has a cache of its own: what was kept before would hide a difference.
    """
    cache = out / "cache"
    for folder in (out / scale / experiment.name, cache):
        shutil.rmtree(folder, ignore_errors=True)
    return cache


def _all_needs(experiment: Experiment) -> list[str]:
    """The experiments that one needs, directly or not, in the order in which to run them."""
    found: list[str] = []
    for name in experiment.needs:
        found += [*_all_needs(load_experiment(name)), name]
    return list(dict.fromkeys(found))


# comparing


def _compared(experiment: Experiment, there: Path, here: Path) -> tuple[dict[str, str], int]:
    """SHA-256 of the content that both folders share, and the number of runs.

    Raises:
        LabError: they differ.
    """
    first, second = _content(experiment, there), _content(experiment, here)
    differing = sorted(name for name in {*first, *second} if first.get(name) != second.get(name))
    if differing:
        raise LabError(
            f"{experiment.name} gives different results now ({', '.join(differing)} differ), so "
            "this is more than a refactoring; run it again and record the new results."
        )
    from llmlab.method.evidence.tables import read_runs

    return first, len(read_runs(here, experiment))


def _content(experiment: Experiment, folder: Path) -> dict[str, str]:
    """Digests of tables, views and kept files, without what differs between any two runs."""
    from llmlab.method.evidence.tables import TIMING, read_curves, read_runs

    runs = read_runs(folder, experiment).drop(columns=list(TIMING))
    curves = read_curves(folder).query("metric not in @TIMING")
    views = folder / "views.json"
    return {
        "runs.csv": _sha256(runs.to_csv(index=False)),
        "curves.parquet": _sha256(curves.to_csv(index=False)),
        **({"views.json": _sha256(views.read_text(encoding="utf-8"))} if views.is_file() else {}),
        **{f"{KEPT}/{name}": digest for name, digest in checksums(folder / KEPT).items()},
    }


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


# what changed, and whether it ran


def _changed_functions(before: Reach, now: Reach) -> dict[str, Called]:
    """The functions and methods with new text, and their locations."""
    known = {text for place in before.places.values() for _, text, _ in _functions(place)}
    return {
        f"{label}{name}": where
        for label, place in now.places.items()
        if now.code[label] not in before.code.values()
        for name, text, where in _functions(place)
        if text not in known
    }


def _functions(place: Place) -> Iterator[tuple[str, str, Called]]:
    """The functions of a definition: relative name, source without docstrings, location."""
    path, spans = place
    tree = without_docstrings(ast.parse(path.read_bytes(), path))
    for node in tree.body:
        if (node.lineno, node.end_lineno) in spans:
            yield from _functions_in(path, node, "")


def _functions_in(path: Path, node: ast.AST, name: str) -> Iterator[tuple[str, str, Called]]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        lines = [node.lineno, *(decorator.lineno for decorator in node.decorator_list)]
        yield name, ast.unparse(node), (str(path), min(lines))
    for inner in ast.iter_child_nodes(node):
        below = (
            f"{name}.{inner.name}" if hasattr(inner, "body") and hasattr(inner, "name") else name
        )
        yield from _functions_in(path, inner, below)


def _check_executed(name: str, changed: Mapping[str, Called], called: set[Called]) -> None:
    passed_by = sorted(label for label, where in changed.items() if where not in called)
    if passed_by:
        raise LabError(
            f"the run of {name} does not execute {', '.join(passed_by)}, so it proves nothing "
            "about that change; attest at a larger --scale, or run the experiment again."
        )


def _written(project: Project, evidence: Evidence, proof: _Proof) -> Path:
    now = fingerprint(evidence.experiment, evidence.scale)
    files = reached_code(evidence.experiment).files
    equivalence = Equivalence(
        recorded=evidence.manifest.fingerprint.digest,
        now=now.digest,
        commit_recorded=proof.origin.commit,
        commit_now=str(git_state(project.root, files)),
        changed=tuple(sorted(proof.origin.changed)),
        scale=proof.scale,
        rows=proof.rows,
        sha256=proof.sha256,
        host=host(),
        device=device(),
        libraries=libraries(),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    with writing_results(project):
        write_equivalence(evidence.folder, equivalence)
    return evidence.folder
