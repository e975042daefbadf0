from collections import Counter
from pathlib import Path

import pytest

from llmlab.method.errors import LabError
from llmlab.sleep.koans.koan import builtin_koans, choose_koans, read_koans

GOOD = """
family = "moves"
hint = "Clone it."

[[koan]]
name = "one"
error = "E0382"
start = "fn f() {}"
solution = "fn f() {}"
cases = [["f()", "()"]]
"""


def test_there_are_42_koans_in_ten_families_or_more() -> None:
    assert len(builtin_koans()) == 42
    assert len({koan.family for koan in builtin_koans()}) >= 10


def test_no_two_koans_share_a_name_or_a_start() -> None:
    uses = Counter(part for koan in builtin_koans() for part in (koan.name, koan.start))
    assert [part for part, count in uses.items() if count > 1] == []


def test_a_file_of_koans_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    (koan,) = choose_koans(str(path))
    assert (koan.name, koan.family, koan.language) == ("one", "moves", "rust")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("family = ", "is not valid TOML"),
        (GOOD.replace("cases", "tests"), "koan.0"),
        (GOOD.replace('"one"', '"One!"'), "koan.0.name"),
        (GOOD.replace('[["f()", "()"]]', "[]"), "koan.0.cases"),
        ('family = "moves"\nhint = "h"\nkoan = []', "koan"),
        ("\x00", "is not valid TOML"),
    ],
)
def test_what_is_no_file_of_koans_is_said_in_a_sentence(
    text: str, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(LabError, match=says):
        read_koans(path)


def test_an_unknown_name_gets_the_nearest_one() -> None:
    with pytest.raises(LabError, match=r"did you mean 'one_too_few'"):
        choose_koans("one_to_few")


def test_a_missing_file_is_named() -> None:
    with pytest.raises(LabError, match=r"cannot read nowhere\.toml"):
        choose_koans("nowhere.toml")


def test_a_family_is_chosen_by_its_name() -> None:
    assert {koan.family for koan in choose_koans("traits")} == {"traits"}
