import json
from collections.abc import Callable
from pathlib import Path

import pytest

from llmlab.method.environment import CACHE_DIR
from llmlab.method.errors import LabError
from llmlab.sleep.command import koans
from llmlab.sleep.command.app import app
from llmlab.sleep.command.koans import KoanOptions
from llmlab.sleep.sandbox.bubblewrap import Bubblewrap
from llmlab.sleep.sandbox.levels import Probe
from llmlab.sleep.sandbox.sandbox import Unguarded

Call = Callable[..., str]


@pytest.fixture
def sleep(capsys: pytest.CaptureFixture[str]) -> Call:
    """What `llmlab sleep` prints for these arguments."""

    def call(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            app(list(arguments))
        assert ended.value.code == 0
        return capsys.readouterr().out

    return call


def test_list_shows_names_families_and_reasons(sleep: Call) -> None:
    said = sleep("koans", "list", "moves")
    assert "moved_in_a_loop" in said
    assert "4 koans in 1 family." in said


def test_list_as_json_holds_the_code(sleep: Call) -> None:
    (koan, *_) = json.loads(sleep("koans", "list", "moves", "--json"))
    assert koan["start"].startswith("fn length(")


def test_list_as_json_survives_a_terminal_of_few_characters(sleep: Call) -> None:
    said = sleep("koans", "list", "--json")
    assert said.isascii()
    assert "né" in str(json.loads(said))


def test_show_gives_the_solution_only_when_asked(sleep: Call) -> None:
    assert "label.clone()" not in sleep("koans", "show", "moved_in_a_loop")
    assert "label.clone()" in sleep("koans", "show", "moved_in_a_loop", "--solution")


ODD = """
family = "f"
hint = "[/hint]"
[[koan]]
name = "a"
error = "[/red]"
start = "fn f() {} // one two three four"
solution = "fn f() {}"
cases = [["f()", "[/case]"]]
"""


def test_brackets_in_a_file_of_koans_are_printed_as_they_are(sleep: Call, tmp_path: Path) -> None:
    file = tmp_path / "odd.toml"
    file.write_text(ODD, encoding="utf-8")
    assert "[/red]" in sleep("koans", "list", str(file))
    shown = sleep("koans", "show", str(file))
    assert all(text in shown for text in ("[/red]", "[/hint]", "[/case]"))


def test_long_lines_of_a_koan_are_not_cut(
    sleep: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "odd.toml"
    file.write_text(ODD, encoding="utf-8")
    monkeypatch.setenv("COLUMNS", "24")
    assert sleep("koans", "show", str(file)).split().count("four") == 1


def test_show_as_json_holds_the_solution(sleep: Call) -> None:
    (koan,) = json.loads(sleep("koans", "show", "moved_in_a_loop", "--json"))
    assert "label.clone()" in koan["solution"]


def test_check_counts_by_family(sleep: Call) -> None:
    said = sleep("koans", "check", "--generated", "24", "--language", "python")
    assert "24 of 24 are right" in said


def test_koans_are_checked_where_no_result_can_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(CACHE_DIR, str(tmp_path / "file" / "cache"))
    app(["koans", "check", "--generated", "4", "--language", "python"], standalone_mode=False)
    said = capsys.readouterr()
    assert "4 of 4 are right" in said.out
    assert said.err.startswith("No result is kept for the next time: ")


def test_check_of_one_family_of_the_grammar(sleep: Call) -> None:
    arguments = ("check", "keys", "--generated", "6", "--language", "python", "--json")
    assert {found["family"] for found in json.loads(sleep("koans", *arguments))} == {"keys"}


def test_a_koan_that_is_not_what_it_says_ends_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("""
family = "names"
language = "python"
hint = "Use a name that there is."
[[koan]]
name = "one"
error = "NameError"
start = "def f(): return 1"
solution = "def f(): return 1"
cases = [["f()", "1"]]
""")
    with pytest.raises(
        LabError, match="1 of 1 koans are not what they say, first one: its start is green"
    ):
        app(["koans", "check", str(path)])


def test_a_file_of_koans_is_checked_in_the_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(koans, "strongest", lambda: Probe(Bubblewrap()))
    assert KoanOptions(str(tmp_path / "mine.toml")).sandbox() == Bubblewrap()
    assert KoanOptions().sandbox() == Unguarded()


@pytest.mark.parametrize(("option", "value"), [("--language", "cobol"), ("--split", "dev")])
def test_an_unknown_choice_is_named(option: str, value: str) -> None:
    with pytest.raises(LabError, match=value):
        app(["koans", "list", "--generated", "3", option, value])
