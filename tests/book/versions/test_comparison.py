import pytest

from llmlab.book.versions.comparison import Comparison, compare
from llmlab.book.versions.saying import comment, mark, page, summary
from llmlab.book.versions.snapshot import Claim, Snapshot, Table


def claim(name: str, word: str = "UNDECIDED", effect: float | None = 0.1, **other) -> Claim:
    hypothesis = {"id": name, "title": "A title", "statement": "It is so.", "experiment": "dose"}
    ends = {} if effect is None else {"low": effect - 0.1, "high": effect + 0.1}
    fields = {"effect": effect, **ends, "n": 5, "scale": "laptop", "unit": "share", **other}
    return Claim(hypothesis=hypothesis, word=word, **fields)


def table(name: str, finished: str = "2026-01-01T00:00:00Z", **code: str) -> Table:
    scale, experiment = name.split("/")
    return Table(
        experiment=experiment,
        scale=scale,
        fingerprint={"code": code},
        git_commit="0" * 40,
        finished=finished,
        rows=8,
        sha256={},
    )


def snapshot(version: str, claims=(), tables=()) -> Snapshot:
    return Snapshot(version=version, commit="c" * 40, claims=claims, tables=tables)


@pytest.fixture
def found() -> Comparison:
    former = snapshot(
        "1.0",
        (claim("H-WORD"), claim("H-MOVED"), claim("H-SAME"), claim("H-GONE", "SUPPORTED")),
        (table("laptop/dose", run="1", kept="1"), table("laptop/other")),
    )
    now = snapshot(
        "dev",
        (
            claim("H-WORD", "SUPPORTED", 0.3),
            claim("H-MOVED", effect=0.12),
            claim("H-SAME", effect=0.1 + 1e-14),
            claim("H-NEW", "UNTESTED", None),
        ),
        (
            table("laptop/dose", "2026-02-01T00:00:00Z", run="2", kept="1"),
            table("laptop/other"),
            table("gpu/dose"),
        ),
    )
    return compare(former, now)


def test_what_is_new_moved_gone_and_run_again_is_told_apart(found: Comparison) -> None:
    assert [one.id for one in found.new] == ["H-NEW"]
    assert [one.id for one in found.gone] == ["H-GONE"]
    moved = {one.after.id: one.has_other_word for one in found.rejudged}
    assert moved == {"H-WORD": True, "H-MOVED": False}
    assert [(one.table.name, one.changed) for one in found.rerun] == [("laptop/dose", ("run",))]
    assert [one.name for one in found.added] == ["gpu/dose"]


def test_a_version_beside_itself_has_changed_in_nothing(found: Comparison) -> None:
    same = compare(found.now, found.now)
    assert same.is_empty
    assert summary(same) == "No verdict and no table differs from dev."


def test_the_summary_counts(found: Comparison) -> None:
    assert summary(found) == (
        "Since 1.0: 1 verdict changed, 1 effect moved, same verdict, "
        "1 hypothesis new, 1 hypothesis removed, 1 table new, 1 table computed again."
    )


def test_a_comment_has_words_effects_and_intervals_before_and_after(found: Comparison) -> None:
    said = comment(found)
    assert (
        "| H-WORD: A title | ? UNDECIDED, 0.1 [0, 0.2] share, n = 5, laptop "
        "| ✓ SUPPORTED, 0.3 [0.2, 0.4] share, n = 5, laptop |"
    ) in said
    assert "`run`" in said
    assert ":::" not in said  # GitHub knows no such boxes


def test_the_page_draws_what_moved(found: Comparison) -> None:
    assert "](data:image/svg+xml;base64," in page(found)
    assert "H-WORD, H-MOVED" in page(found)
    assert "data:image" not in page(compare(found.now, found.now))


def test_only_the_page_of_the_experiment_is_marked(found: Comparison) -> None:
    assert 'title="Changed since 1.0"' in mark(found, "dose")
    assert "H-WORD was UNDECIDED, now SUPPORTED" in mark(found, "dose")
    assert mark(found, "other") == ""


def test_the_first_version_has_none_before_it() -> None:
    assert "no earlier version" in page(None)
    assert "no earlier version" in comment(None)
