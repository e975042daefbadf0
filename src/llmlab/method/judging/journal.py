"""The journal of verdicts: what was judged on which recorded table, by which rules.

`results/verdicts.csv` has a line for each verdict on each recorded table. It counts the looks at a
question, also where code changed between them, and keeps the verdicts that later tables or rules
turned.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from llmlab.method.documents import first_mistake, in_one_line
from llmlab.method.errors import LabError
from llmlab.method.files import read_text, write_file
from llmlab.method.judging.ledger import Hypothesis
from llmlab.method.project import Project

RULES: Mapping[int, str] = {
    1: "t tests and exact sign tests; an edge of a grid was an alarm; looks shared alpha equally",
    2: "tests that hold their level; an edge decides nothing; alpha is spent look by look",
}
"""The rules by which verdicts were made, by number; the last are those of today."""

NOW = max(RULES)


@dataclass(frozen=True)
class Entry:
    """One verdict on one recorded table.

    Attributes:
        table: the first letters of the SHA-256 of its runs.
        seeds: that the table had.
        effect, low, high: with its interval; None where there was none.
        rules: a key of `RULES`.
        date: the day that the table was recorded or judged anew, ISO 8601.
    """

    hypothesis: str
    scale: str
    table: str
    seeds: int
    word: Literal["SUPPORTED", "REFUTED", "UNDECIDED", "UNTESTED"]
    effect: float | None
    low: float | None
    high: float | None
    rules: int
    date: str

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What there is one verdict on."""
        return self.hypothesis, self.scale, self.table, self.rules


@dataclass(frozen=True)
class Journal:
    """All entries, the oldest first."""

    entries: tuple[Entry, ...] = ()

    def former(self, hypothesis: str, scale: str, table: str) -> tuple[Entry, ...]:
        """The entries on a hypothesis, that of the present rules on the present table apart."""
        return tuple(
            entry
            for entry in self.entries
            if (entry.hypothesis, entry.scale) == (hypothesis, scale)
            and (entry.table, entry.rules) != (table, NOW)
        )

    def looks(self, hypothesis: str, scale: str, table: str, seeds: int) -> tuple[int, ...]:
        """The seeds of every table that a hypothesis was judged on, the present one last."""
        tables = {
            entry.table: entry.seeds for entry in self.former(hypothesis, scale, table)
        }  # a dictionary keeps the order of the first entry of each
        tables.pop(table, None)
        return (*tables.values(), seeds)

    def with_new(self, entries: Iterable[Entry]) -> "Journal":
        """The journal with the entries that it does not have."""
        known = {entry.key for entry in self.entries}
        return Journal((*self.entries, *(each for each in entries if each.key not in known)))


def table_key(sha256: Mapping[str, str]) -> str:
    """What the journal calls a table with these checksums of its files."""
    return sha256.get("runs.csv", "")[:12]


def read_journal(project: Project) -> Journal:
    """The journal in `results/`; empty if there is none.

    Raises:
        LabError: a line is damaged.
    """
    path = _path(project)
    if not path.is_file():
        return Journal()
    try:
        rows = [
            {name: value or None for name, value in row.items()}
            for row in csv.DictReader(io.StringIO(read_text(path)))
        ]
        return Journal(tuple(TypeAdapter(list[Entry]).validate_python(rows)))
    except ValidationError as error:
        raise _damaged(path, first_mistake(error)) from error
    except csv.Error as error:
        raise _damaged(path, in_one_line(error)) from error


def _damaged(path: Path, cause: str) -> LabError:
    return LabError(f"{path} is damaged ({cause}): restore it from git.")


def write_journal(project: Project, journal: Journal) -> None:
    """Write the journal; errors as `write_file`."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Entry)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(_shown(entry) for entry in journal.entries)
    write_file(_path(project), text.getvalue())


def _shown(entry: Entry) -> dict[str, object]:
    """Numbers to six digits: what they rest on is in the tables."""
    row = asdict(entry)
    return {name: f"{x:.6g}" if isinstance(x, float) else x for name, x in row.items()}


def _path(project: Project) -> Path:
    return project.root / "results" / "verdicts.csv"


def wanted(hypotheses: Iterable[Hypothesis], journal: Journal, scale: str) -> dict[str, float]:
    """By experiment how much its runs at a scale are wanted: one for each hypothesis without a
    verdict at that scale, two where the last verdict anywhere is UNDECIDED; none for checks.
    """
    last = {(entry.hypothesis, entry.scale): entry.word for entry in journal.entries}
    undecided = {entry.hypothesis: entry.word == "UNDECIDED" for entry in journal.entries}
    values: dict[str, float] = {}
    for hypothesis in hypotheses:
        if hypothesis.kind == "finding" and (hypothesis.id, scale) not in last:
            worth = 2.0 if undecided.get(hypothesis.id, True) else 1.0
            values[hypothesis.experiment] = values.get(hypothesis.experiment, 0.0) + worth
    return values
