"""The journal of verdicts: each verdict, the recorded table it was based on, and the rules.

`results/verdicts.csv` has one line per verdict and recorded table. It counts the looks at a
question even if code changed between them, and keeps verdicts that later tables or rules reversed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from llmlab.method.evidence.records import read_records, write_records
from llmlab.method.judging.ledger import Hypothesis
from llmlab.method.project import Project

Word = Literal["SUPPORTED", "REFUTED", "UNDECIDED", "UNTESTED"]
"""The word of a verdict."""

RULES: Mapping[int, str] = {
    1: "t tests and exact sign tests; an edge of a grid was an alarm; looks shared alpha equally",
    2: "tests that hold their level; an edge decides nothing; alpha is spent look by look",
    3: "as 2; nor do shares at their floor or ceiling, if the claim needs room beyond it",
    4: "as 3; a level of 0, at which nothing happens, ends a grid and is no choice",
}
"""The rules of judging, by number; the last ones are in force."""

NOW = max(RULES)


@dataclass(frozen=True)
class Entry:
    """One verdict on one recorded table.

    Attributes:
        table: the first digits of the SHA-256 of its runs.
        seeds: number of seeds in the table.
        effect, low, high: effect and its interval; None if there was none.
        rules: a key of `RULES`.
        date: the day on which the table was recorded or judged again, ISO 8601.
    """

    hypothesis: str
    scale: str
    table: str
    seeds: int
    word: Word
    effect: float | None
    low: float | None
    high: float | None
    rules: int
    date: str

    @property
    def judged(self) -> tuple[str, str, str]:
        """What was judged on what."""
        return self.hypothesis, self.scale, self.table


@dataclass(frozen=True)
class Journal:
    """All entries, the oldest first."""

    entries: tuple[Entry, ...] = ()

    def former(self, hypothesis: str, scale: str, table: str) -> tuple[Entry, ...]:
        """The entries on a hypothesis, except that of the present rules on the present table."""
        return tuple(
            entry
            for entry in self.entries
            if (entry.hypothesis, entry.scale) == (hypothesis, scale)
            and (entry.table, entry.rules) != (table, NOW)
        )

    def looks(self, hypothesis: str, scale: str, table: str, seeds: int) -> tuple[int, ...]:
        """The number of seeds of every table that a hypothesis was judged on, present one last."""
        tables = {
            entry.table: entry.seeds for entry in self.former(hypothesis, scale, table)
        }  # a dictionary keeps the position of each table's first entry
        tables.pop(table, None)
        return (*tables.values(), seeds)

    def with_new(self, entries: Iterable[Entry]) -> "Journal":
        """The journal with new entries appended; rules that leave a verdict as it was add none."""
        latest = {entry.judged: entry.word for entry in self.entries}
        changed = (each for each in entries if latest.get(each.judged) != each.word)
        return Journal((*self.entries, *changed))


def table_key(sha256: Mapping[str, str]) -> str:
    """The journal's key for a table, from the checksums of its files."""
    return sha256.get("runs.csv", "")[:12]


def read_journal(project: Project) -> Journal:
    """Read the journal in `results/`; empty if there is none.

    Raises:
        LabError: a line is damaged.
    """
    return Journal(tuple(read_records(_path(project), Entry)))


def write_journal(project: Project, journal: Journal) -> None:
    """Write the journal; errors as in `write_file`."""
    write_records(_path(project), Entry, map(_shown, journal.entries))


def _shown(entry: Entry) -> dict[str, object]:
    """The entry as a row, with numbers to six digits; the tables have full precision."""
    row = asdict(entry)
    return {name: f"{x:.6g}" if isinstance(x, float) else x for name, x in row.items()}


def _path(project: Project) -> Path:
    return project.root / "results" / "verdicts.csv"


def wanted(hypotheses: Iterable[Hypothesis], journal: Journal) -> dict[str, float]:
    """The value of a table that would judge these hypotheses, by experiment.

    Each adds 1, or 2 if it has no verdict at all or its last one is UNDECIDED; checks add nothing.
    """
    undecided = {entry.hypothesis: entry.word == "UNDECIDED" for entry in journal.entries}
    values: dict[str, float] = {}
    for hypothesis in hypotheses:
        if hypothesis.kind == "finding":
            worth = 2.0 if undecided.get(hypothesis.id, True) else 1.0
            values[hypothesis.experiment] = values.get(hypothesis.experiment, 0.0) + worth
    return values
