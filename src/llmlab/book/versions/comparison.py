"""Compare two versions of the book."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from llmlab.book.versions.snapshot import Claim, Snapshot, Table, snapshot_at, snapshot_here
from llmlab.book.versions.tags import Tag, former_version
from llmlab.method.project import Project

TOLERANCE = 1e-9
"""Relative difference below which two numbers count as equal, since processors differ."""


@dataclass(frozen=True)
class Rejudged:
    """A hypothesis whose verdict or numbers changed."""

    before: Claim
    after: Claim

    @property
    def has_other_word(self) -> bool:
        return self.before.word != self.after.word


@dataclass(frozen=True)
class Rerun:
    """A table that was computed again.

    Attributes:
        changed: names of the changed definitions that its runs reach.
    """

    table: Table
    changed: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """What changed since `former`."""

    former: Snapshot
    now: Snapshot
    new: tuple[Claim, ...]
    gone: tuple[Claim, ...]
    rejudged: tuple[Rejudged, ...]
    added: tuple[Table, ...]
    rerun: tuple[Rerun, ...]

    @property
    def is_empty(self) -> bool:
        return not any((self.new, self.gone, self.rejudged, self.added, self.rerun))

    def of_experiment(self, name: str) -> "Comparison":
        """The part of the comparison that belongs to one experiment."""
        return Comparison(
            self.former,
            self.now,
            tuple(claim for claim in self.new if claim.hypothesis.experiment == name),
            tuple(claim for claim in self.gone if claim.hypothesis.experiment == name),
            tuple(one for one in self.rejudged if one.after.hypothesis.experiment == name),
            tuple(table for table in self.added if table.experiment == name),
            tuple(one for one in self.rerun if one.table.experiment == name),
        )


def compare(former: Snapshot, now: Snapshot) -> Comparison:
    """Compare two snapshots: what was added, removed or changed in `now`."""
    claims, were = _by_id(now.claims), _by_id(former.claims)
    tables, had = ({table.name: table for table in each.tables} for each in (now, former))
    return Comparison(
        former=former,
        now=now,
        new=tuple(claim for name, claim in claims.items() if name not in were),
        gone=tuple(claim for name, claim in were.items() if name not in claims),
        rejudged=tuple(
            Rejudged(were[name], claim)
            for name, claim in claims.items()
            if name in were and not _same(were[name], claim)
        ),
        added=tuple(table for name, table in tables.items() if name not in had),
        rerun=tuple(
            Rerun(table, _changed(had[name], table))
            for name, table in tables.items()
            if name in had and table.finished != had[name].finished
        ),
    )


def changes_since_former(project: Project, since: Tag | None = None) -> Comparison | None:
    """What changed since a version (default: the previous one); None if there is none.

    Raises:
        LabError: as in `snapshot_at`.
    """
    tag = since or former_version(project.root)
    if tag is None:
        return None
    return compare(snapshot_at(project, tag), snapshot_here(project, "dev"))


def _by_id(claims: tuple[Claim, ...]) -> Mapping[str, Claim]:
    return {claim.id: claim for claim in claims}


def _same(before: Claim, after: Claim) -> bool:
    pairs = [(getattr(before, name), getattr(after, name)) for name in ("effect", "low", "high")]
    return (before.word, before.n, before.scale) == (after.word, after.n, after.scale) and all(
        one == other or (one is not None and other is not None and _near(one, other))
        for one, other in pairs
    )


def _near(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _changed(before: Table, after: Table) -> tuple[str, ...]:
    old, new = before.fingerprint.code, after.fingerprint.code
    return tuple(sorted(name for name in old | new if old.get(name) != new.get(name)))
