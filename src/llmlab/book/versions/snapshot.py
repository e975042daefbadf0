"""The verdicts of a version of the book, and its recorded tables."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from llmlab.book.versions.tags import Tag
from llmlab.method.errors import LabError
from llmlab.method.evidence.manifest import MANIFEST
from llmlab.method.evidence.modules import closure, source_digest
from llmlab.method.files import write_file
from llmlab.method.git import git, worktree
from llmlab.method.json_values import json_value
from llmlab.method.judging.verdicts import judge_all
from llmlab.method.project import Project

RESULTS = "results"


class _Part(BaseModel):
    """The fields read from a file of another version; ignores all others."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Hypothesis(_Part):
    """The text of a hypothesis."""

    id: str
    title: str
    statement: str
    experiment: str


class Claim(_Part):
    """The verdict on a hypothesis.

    Attributes:
        effect, low, high: the effect and its interval, in `unit`; None if untested.
        n: number of pairs; None without runs.
    """

    hypothesis: Hypothesis
    word: str
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str | None = None
    n: int | None = None
    scale: str | None = None

    @property
    def id(self) -> str:
        return self.hypothesis.id


class Fingerprint(_Part):
    """The code that made a table: a digest of each definition, by name."""

    code: dict[str, str] = {}


class Table(_Part):
    """The manifest of a recorded table."""

    experiment: str
    scale: str
    fingerprint: Fingerprint
    git_commit: str
    finished: str
    rows: int
    sha256: dict[str, str]

    @property
    def name(self) -> str:
        return f"{self.scale}/{self.experiment}"


class Snapshot(_Part):
    """The claims and recorded tables of a version."""

    version: str
    commit: str
    claims: tuple[Claim, ...]
    tables: tuple[Table, ...]


_CLAIMS = TypeAdapter(tuple[Claim, ...])


def snapshot_here(project: Project, version: str) -> Snapshot:
    """The snapshot of the checkout; cached until tables, ledger or judging code change."""
    head = (git(project.root, "rev-parse", "HEAD") or b"unknown").decode().strip()
    kept = project.build / "versions" / f"here-{_state(project)}.json"
    claims = _kept(kept, _CLAIMS)
    if claims is None:
        claims = _CLAIMS.validate_python(json_value(judge_all(project)))
        write_file(kept, _CLAIMS.dump_json(claims))
    return Snapshot(version=version, commit=head, claims=claims, tables=recorded(project))


def recorded(project: Project) -> tuple[Table, ...]:
    """The recorded tables of the checkout; LabError if a manifest is damaged."""
    return tuple(_table(path.read_bytes(), str(path)) for path in _manifests(project))


def snapshot_at(project: Project, tag: Tag) -> Snapshot:
    """The snapshot of a tag, judged by that version's own code in a separate worktree.

    Raises:
        LabError: the clone does not have the commit, or its code cannot judge here.
    """
    kept = project.build / "versions" / f"{tag.commit}.json"
    form = TypeAdapter(Snapshot)
    found = _kept(kept, form)
    if found is None:
        with worktree(project.root, tag.commit) as tree:
            claims = _judged(tree, tag)
        tables = tuple(_tables_at(project.root, tag))
        found = Snapshot(version=tag.version, commit=tag.commit, claims=claims, tables=tables)
        write_file(kept, form.dump_json(found))
    return found.model_copy(update={"version": tag.version})


def _judged(tree: Path, tag: Tag) -> tuple[Claim, ...]:
    command = [sys.executable, "-m", "llmlab", "verdicts", "--json"]
    environment = os.environ | {"PYTHONPATH": str(tree / "src")}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, check=False)
    try:
        if done.returncode == 0:
            return _CLAIMS.validate_json(done.stdout)
        cause = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
    except ValidationError as error:
        cause = [f"{error.error_count()} fields of its verdicts have another form"]
    raise LabError(
        f"the code of {tag.name} cannot judge its tables here ({' '.join(cause)}); "
        "compare with a later version with --since."
    )


def _tables_at(root: Path, tag: Tag) -> Iterator[Table]:
    listed = git(root, "ls-tree", "-r", "--name-only", "-z", tag.commit, "--", RESULTS) or b""
    for path in listed.decode().split("\0"):
        if path.endswith(f"/{MANIFEST}"):
            yield _table(git(root, "show", f"{tag.commit}:{path}") or b"", f"{tag.name}:{path}")


def _table(content: bytes, name: str) -> Table:
    try:
        return Table.model_validate_json(content)
    except ValidationError as error:
        raise LabError(f"{name} is not a readable manifest; restore it from git.") from error


def _manifests(project: Project) -> list[Path]:
    return sorted((project.root / RESULTS).glob(f"*/*/{MANIFEST}"))


def _state(project: Project) -> str:
    """Digest of the tables, the ledger, and the judging code."""
    digest = hashlib.sha256()
    fresh = sorted((project.build / RESULTS).glob(f"*/*/{MANIFEST}"))
    for path in (*_manifests(project), *fresh, *sorted(project.ledger.glob("*.toml"))):
        digest.update(f"{path.relative_to(project.root)}".encode() + path.read_bytes())
    code = closure("llmlab.method.judging.verdicts")
    digest.update(json.dumps([source_digest(path) for _, path in sorted(code.items())]).encode())
    return digest.hexdigest()[:20]


def _kept(path: Path, form: TypeAdapter) -> object | None:
    try:
        return form.validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
