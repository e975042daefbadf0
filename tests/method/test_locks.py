import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from llmlab.method import locks
from llmlab.method.errors import LabError
from llmlab.method.judging.journal import Entry, Journal, read_journal, write_journal
from llmlab.method.judging.verdicts import keep_verdicts
from llmlab.method.locks import beside, locked, writing_results

ENTRY = Entry("H-X-1", "laptop", "aaa", 5, "UNDECIDED", 0.25, None, 0.5, 1, "2026-11-20")


def test_a_lock_that_is_held_is_a_sentence(tmp_path: Path) -> None:
    lock = beside(tmp_path / "new" / "day.jsonl")
    assert lock == tmp_path / "new" / ".day.jsonl.lock"
    with (
        locked(lock, "taken"),
        pytest.raises(LabError, match=r"^taken$"),
        locked(lock, "taken"),
    ):
        pass
    with locked(lock, "taken"):
        pass


def test_a_lock_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "build").touch()
    with (
        pytest.raises(LabError, match=r"cannot write .*build: "),
        locked(tmp_path / "build" / "x.lock", "taken"),
    ):
        pass


def test_writers_of_results_wait_for_each_other_and_lose_no_row(lab) -> None:
    def add(table: str) -> None:
        with writing_results(lab.project):
            journal = read_journal(lab.project)
            time.sleep(0.01)  # long enough for another to read the same
            write_journal(lab.project, journal.with_new([replace(ENTRY, table=table)]))

    writers = [threading.Thread(target=add, args=(table,)) for table in "abcd"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(entry.table for entry in read_journal(lab.project).entries) == [
        "a",
        "b",
        "c",
        "d",
    ]


def test_who_waits_too_long_for_the_journal_leaves_it(lab, monkeypatch) -> None:
    monkeypatch.setattr(locks, "PATIENCE_SECONDS", 0)
    write_journal(lab.project, Journal((ENTRY,)))
    with (
        writing_results(lab.project),
        pytest.raises(LabError, match="has been writing to"),
    ):
        keep_verdicts(lab.project)
    assert read_journal(lab.project) == Journal((ENTRY,))
