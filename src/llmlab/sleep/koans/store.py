"""Results of compiling and running, kept by content: the same program is never run twice.

One SQLite file in the cache folder; several processes may use it at once.
"""

import hashlib
import json
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from llmlab.gpt.text.corpora import cache_folder
from llmlab.method.errors import LabError
from llmlab.sleep.koans.koan import Language, Program
from llmlab.sleep.koans.rust import need_compiler
from llmlab.sleep.koans.verdict import Seen

FILE = "koans.sqlite"
LAYOUT = 1
"""Raise it with any change that gives the same program another result."""
MANY = 500
"""Keys of one query: SQLite takes some hundreds at once."""


@dataclass(frozen=True)
class Store:
    """Results by content in the file `path`."""

    path: Path = field(default_factory=lambda: cache_folder() / FILE)

    def get(self, keys: Sequence[str]) -> dict[str, Seen]:
        """The kept results, by key; a damaged one counts as missing.

        Raises:
            LabError: the file is not a database, or cannot be read or written.
        """
        found: dict[str, Seen] = {}
        with self._opened() as database:
            for start in range(0, len(keys), MANY):
                part = keys[start : start + MANY]
                marks = ",".join("?" * len(part))
                rows = database.execute(f"SELECT key, seen FROM seen WHERE key IN ({marks})", part)
                found |= {key: seen for key, text in rows if (seen := _seen(text))}
        return found

    def put(self, results: dict[str, Seen]) -> None:
        """Keep results; errors as `get`."""
        rows = [(key, json.dumps(asdict(seen))) for key, seen in results.items()]
        with self._opened() as database, database:
            database.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?)", rows)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=60)) as database:
                database.execute(
                    "CREATE TABLE IF NOT EXISTS seen (key TEXT PRIMARY KEY, seen TEXT)"
                )
                yield database
        except (OSError, sqlite3.Error) as error:
            raise LabError(
                f"{self.path} cannot be used as a store of results ({error}): remove it, free some "
                "space, or make its folder writable."
            ) from error


def usable_store() -> Store | None:
    """The user's store; None, with a line on standard error, where nothing can be kept."""
    store = Store()
    try:
        with store._opened() as database:
            database.execute("BEGIN IMMEDIATE")  # fails where nothing can be written
    except LabError as error:
        print(f"No result is kept for the next time: {error}", file=sys.stderr)
        return None
    return store


def content_key(language: Language, program: Program, level: str) -> str:
    """What decides a result: the code, its cases, the compiler, and where it runs."""
    compiler = need_compiler().version if language == "rust" else sys.version
    expressions = [case.expression for case in program.cases]
    content = [LAYOUT, language, compiler, level, program.code, expressions]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _seen(text: str) -> Seen | None:
    try:
        return _reader().validate_json(text)
    except ValidationError:
        return None


@cache
def _reader() -> TypeAdapter:
    return TypeAdapter(Seen)
