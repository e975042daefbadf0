import random
import sqlite3
from itertools import combinations
from pathlib import Path

import pytest

from llmlab.method.errors import LabError
from llmlab.sleep.koans import judges
from llmlab.sleep.koans.check import check_koans
from llmlab.sleep.koans.generated import (
    GRAMMARS,
    SHARES,
    Split,
    _drafts,
    _verified,
    generate,
    split_templates,
)
from llmlab.sleep.koans.grammar import draft, structure, templates
from llmlab.sleep.koans.koan import Language
from llmlab.sleep.koans.store import Store
from llmlab.sleep.koans.verdict import Seen
from llmlab.sleep.sandbox.sandbox import Unguarded


def one_of_each_template_is_right(language: Language, share: float) -> bool:
    grammar = GRAMMARS[language]
    rng = random.Random(0)
    drafts = [draft(t, grammar, rng) for t in templates(grammar) if rng.random() < share]
    verified = {koan.template for koan in _verified(language, drafts, None)}
    return verified == {found.template.name for found in drafts}


@pytest.mark.usefixtures("needs_rust")
def test_templates_in_rust_are_red_for_their_reason_and_green_when_solved() -> None:
    assert one_of_each_template_is_right("rust", share=0.2)


def test_templates_in_python_are_red_for_their_reason_and_green_when_solved() -> None:
    assert one_of_each_template_is_right("python", share=1.0)


@pytest.mark.parametrize("language", list(GRAMMARS))
def test_no_template_is_in_two_parts_and_each_family_is_in_all(language: Language) -> None:
    parts = split_templates(language)
    for one, other in combinations(SHARES, 2):
        assert not set(parts[one]) & set(parts[other])
    for part in parts.values():
        assert {template.family for template in part} == set(GRAMMARS[language].families)


@pytest.mark.parametrize("language", list(GRAMMARS))
def test_no_structure_of_the_test_part_is_trained_on(language: Language) -> None:
    assert not structures(language, "train", 1000) & structures(language, "test", 1000)


@pytest.mark.parametrize("language", list(GRAMMARS))
def test_an_exam_has_a_thousand_structures_or_more(language: Language) -> None:
    assert len(structures(language, "test", 1000)) == 1000


def structures(language: Language, split: Split, count: int) -> set[str]:
    """Those of the first drafts of a part."""
    families = list(GRAMMARS[language].families)
    drafts = _drafts(language, split, families, random.Random(0))
    return {structure(found.start) for found, _ in zip(drafts, range(count), strict=False)}


def test_koans_differ_in_structure_as_long_as_they_can() -> None:
    koans = generate("python", "test", 400, seed=0)
    assert len({structure(koan.start) for koan in koans}) == 400


def test_the_same_seed_gives_the_same_koans_and_another_seed_others() -> None:
    first, again, other = (generate("python", "test", 24, seed) for seed in (0, 0, 1))
    assert first == again
    assert not {koan.start for koan in first} & {koan.start for koan in other}


def test_families_can_be_chosen() -> None:
    koans = generate("python", "train", 10, 0, families=["keys", "loops"])
    assert {koan.family for koan in koans} == {"keys", "loops"}


def test_an_unknown_family_is_named() -> None:
    with pytest.raises(LabError, match="no family 'moves' in python"):
        generate("python", "train", 10, 0, families=["moves"])


def test_generated_koans_pass_the_check() -> None:
    checked = check_koans(generate("python", "validation", 40, seed=3), Unguarded())
    assert not any(found.fault for found in checked)


def test_what_is_in_the_store_is_not_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "koans.sqlite")
    first = generate("python", "test", 30, 0, store=store)
    monkeypatch.setitem(judges.RUNNERS, "python", lambda programs, _: [1 / 0 for _ in programs])
    assert generate("python", "test", 30, 0, store=store) == first


def test_a_store_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "koans.sqlite"
    path.write_text("this is no database, however long it may be")
    with pytest.raises(LabError, match=r"koans\.sqlite cannot be used as a store"):
        generate("python", "test", 2, 0, store=Store(path))


def test_drafts_never_repeat() -> None:
    drafts = _drafts("python", "test", ["keys"], random.Random(0))
    starts = [found.start for found, _ in zip(drafts, range(500), strict=False)]
    assert len(set(starts)) == 500


def test_a_damaged_row_of_a_store_is_as_good_as_none(tmp_path: Path) -> None:
    store = Store(tmp_path / "koans.sqlite")
    store.put({"good": Seen(("1",)), "bad": Seen(("2",))})
    with sqlite3.connect(store.path) as database:
        database.execute("UPDATE seen SET seen = '{' WHERE key = 'bad'")
    assert store.get(["good", "bad"]) == {"good": Seen(("1",))}


def test_a_store_whose_pages_are_damaged_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path / "koans.sqlite")
    store.put({str(n): Seen((str(n) * 500,)) for n in range(40)})
    content = store.path.read_bytes()
    store.path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    with pytest.raises(LabError, match="cannot be used as a store"):
        store.get([str(n) for n in range(40)])
