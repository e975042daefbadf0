"""Check by the order of git commits whether a hypothesis was registered before its result."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

from llmlab.method.documents import parse_toml
from llmlab.method.errors import LabError
from llmlab.method.git import git
from llmlab.method.project import Project

LEDGER = "chapters/hypotheses/hypotheses.toml"

Order = Literal["before", "same commit", "after", "no result", "not committed", "unknown"]
Entries = Mapping[str, Mapping[str, object]]
"""The entries of one version of the ledger, by id, as written."""


@dataclass(frozen=True)
class Commit:
    """One commit."""

    id: str
    date: date

    def __str__(self) -> str:
        return f"{self.id[:7]} of {self.date}"


@dataclass(frozen=True)
class Registration:
    """When a hypothesis was registered, according to git.

    Attributes:
        order: the registration relative to the first recorded result at the scale in question.
        commit: the commit that added the hypothesis to the ledger.
        result: the commit of that result.
        edited: keys of the entry that changed after the result.
        text: a summary in a sentence or two.
    """

    order: Order
    commit: Commit | None
    result: Commit | None
    edited: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class History:
    """The git history of hypotheses and results.

    Attributes:
        registered: for each hypothesis, the first commit that has it.
        results: for each (scale, experiment), the first commit that has its runs.
        before: for each commit of a result, the ledger just before it.
        now: the ledger in the working tree.
    """

    registered: Mapping[str, Commit]
    results: Mapping[tuple[str, str], Commit]
    before: Mapping[str, Entries]
    now: Entries


def read_history(project: Project) -> History | None:
    """Read the history of the ledger and of the recorded results; None if git cannot give it.

    Returns None without git, outside a repository, before the first commit, in a shallow clone, if
    objects are missing, or if a setting of the repository stops git.
    """
    state = (git(project.root, "rev-parse", "--is-shallow-repository", "HEAD") or b"").split()
    if len(state) != 2 or state[0] != b"false":
        return None
    try:
        registered, results, before = _history(project.root, state[1].decode())
    except _UntoldError:
        return None
    return History(registered, results, before, _entries((project.root / LEDGER).read_bytes()))


def registration(
    history: History | None, hypothesis_id: str, experiment: str, scale: str | None
) -> Registration:
    """The registration of a hypothesis against the result of its experiment at one scale.

    Args:
        scale: None if there is no result yet.
    """
    if history is None:
        text = "The git history is not available here, so the time of registration is unknown."
        return Registration("unknown", None, None, (), text)
    commit = history.registered.get(hypothesis_id)
    result = history.results.get((scale, experiment))
    if commit is None:
        text = "Registered only in the working tree, not committed yet."
        return Registration("not committed", None, result, (), text)
    if result is None:
        text = f"Registered in {commit}; no result is committed yet."
        return Registration("no result", commit, None, (), text)
    old = history.before[result.id].get(hypothesis_id)
    order = _order(commit, result, old)
    edited = _edited(old, history.now.get(hypothesis_id, {})) if old else ()
    return Registration(order, commit, result, edited, _text(order, commit, result, edited))


def _order(commit: Commit, result: Commit, old: object) -> Order:
    if old:
        return "before"
    return "same commit" if commit.id == result.id else "after"


def _edited(old: Mapping[str, object], new: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(sorted(key for key in {*old, *new} if old.get(key) != new.get(key)))


def _text(order: Order, commit: Commit, result: Commit, edited: tuple[str, ...]) -> str:
    relation = {
        "before": "before its result",
        "same commit": "in the same commit as its result",
        "after": "after its result",
    }[order]
    text = f"Registered in {commit}, {relation} ({result})."
    return f"{text} Edited after the result: {', '.join(edited)}." if edited else text


@lru_cache(maxsize=4)
def _history(
    root: Path, head: str
) -> tuple[dict[str, Commit], dict[tuple[str, str], Commit], dict[str, Entries]]:
    """`registered`, `results` and `before` as of one head; see History."""
    ledger_commits: list[Commit] = []
    results: dict[tuple[str, str], Commit] = {}
    for commit, path in _changes(root, head):
        if path == LEDGER:
            ledger_commits.append(commit)
        else:
            _, scale, experiment, _ = path.split("/")
            results.setdefault((scale, experiment), commit)
    parents = {commit.id: f"{commit.id}^" for commit in results.values()}
    ledgers = _ledgers(root, [*(commit.id for commit in ledger_commits), *parents.values()])
    registered: dict[str, Commit] = {}
    for commit in ledger_commits:
        for hypothesis_id in ledgers[commit.id]:
            registered.setdefault(hypothesis_id, commit)
    return registered, results, {result: ledgers[parent] for result, parent in parents.items()}


def _changes(root: Path, head: str) -> Iterator[tuple[Commit, str]]:
    """Each commit, parents first, with each path of the ledger or results that it wrote."""
    log = _told(
        root,
        *("log", head, "--reverse", "--topo-order", "--full-history", "--no-renames", "--relative"),
        *("--no-show-signature", "--no-notes", "--no-color", "--no-ext-diff"),
        *("--diff-filter=AM", "--name-only", "-z", "--format=%x01%H %cs"),
        *("--", LEDGER, ":(glob)results/*/*/runs.csv"),
    )
    for block in log.decode(errors="surrogateescape").split("\1")[1:]:
        header, *paths = re.split(r"[\0\n]+", block)
        commit_id, day = header.split()
        for path in filter(None, paths):
            yield Commit(commit_id, date.fromisoformat(day)), path


def _ledgers(root: Path, revisions: Iterable[str]) -> dict[str, Entries]:
    """The ledger at each revision; empty where there was none."""
    revisions = list(dict.fromkeys(revisions))
    asked = "".join(f"{revision}:./{LEDGER}\n" for revision in revisions)
    answer = _told(root, "cat-file", "--batch", stdin=asked.encode())
    ledgers: dict[str, Entries] = {}
    for revision in revisions:
        header, _, answer = answer.partition(b"\n")
        if header.endswith(b" missing"):
            ledgers[revision] = {}
            continue
        size = int(header.split()[-1])
        ledgers[revision] = _entries(answer[:size])
        answer = answer[size + 1 :]
    return ledgers


class _UntoldError(Exception):
    """Git failed."""


def _told(root: Path, *arguments: str, stdin: bytes | None = None) -> bytes:
    """Run git and return its output; raise if it fails, since that differs from no output."""
    answer = git(root, *arguments, stdin=stdin)
    if answer is None:
        raise _UntoldError
    return answer


def _entries(content: bytes) -> Entries:
    """The hypotheses of one version of the ledger; none if it is not valid TOML."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return {}
    # versions differ in few entries, so each entry is parsed separately and cached
    parts = [_hypotheses(part) for part in re.split(r"(?m)^(?=\[\[hypothesis\]\])", text)]
    whole = [_hypotheses(text) or ()] if None in parts else parts
    return {str(e["id"]): e for part in whole for e in part if isinstance(e, dict) and "id" in e}


@cache
def _hypotheses(text: str) -> Sequence[object] | None:
    """The hypotheses in a part of a ledger; None if it is not valid TOML on its own."""
    try:
        found = parse_toml(text, LEDGER).get("hypothesis", [])
    except LabError:
        return None
    return found if isinstance(found, list) else None
