import math
from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from llmlab.method.errors import LabError
from llmlab.method.options import expand_options, parse_count, parse_date, parse_seconds


@dataclass(frozen=True)
class Walk:
    """A frozen dataclass as a command takes it."""

    goal: Annotated[str, typer.Option(metavar="PLACE", help="Where to go.")]
    steps: Annotated[int, typer.Option(min=1, help="How many steps.")] = 3
    is_slow: Annotated[bool, typer.Option("--slow", help="Take your time.")] = False
    rest: Annotated[float | None, typer.Option(help="Hours of rest.")] = None


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer(rich_markup_mode=None)

    @app.command()
    @expand_options
    def walk(
        walk: Walk, loud: Annotated[bool, typer.Option("--loud", help="Sing.")] = False
    ) -> None:
        """Walk somewhere."""
        print(walk, loud)

    return app


def test_a_command_gets_its_options_as_one_dataclass(app: typer.Typer) -> None:
    done = CliRunner().invoke(app, ["--goal", "home", "--steps", "5", "--slow", "--loud"])
    assert done.output == f"{Walk('home', 5, is_slow=True)} True\n"


def test_defaults_are_those_of_the_dataclass(app: typer.Typer) -> None:
    assert CliRunner().invoke(app, ["--goal", "home"]).output == f"{Walk('home')} False\n"


def test_a_field_without_a_default_must_be_given(app: typer.Typer) -> None:
    done = CliRunner().invoke(app, [])
    assert done.exit_code == 2
    assert "Missing option '--goal'" in done.output


def test_ranges_are_checked_before_the_command_runs(app: typer.Typer) -> None:
    done = CliRunner().invoke(app, ["--goal", "home", "--steps", "0"])
    assert done.exit_code == 2
    assert "Invalid value for '--steps'" in done.output


def test_help_shows_the_commands_docstring_and_the_fields_in_their_order(app: typer.Typer) -> None:
    shown = CliRunner().invoke(app, ["--help"]).output
    assert "Walk somewhere." in shown
    places = [shown.index(said) for said in ("--goal PLACE", "--steps", "--slow", "Sing.")]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("text", "count"),
    [("700", 700), ("20k", 2e4), ("1.5M", 1.5e6), ("7b", 7e9), ("15T", 1.5e13), ("1e12", 1e12)],
)
def test_a_count_is_read_with_its_unit(text: str, count: float) -> None:
    assert parse_count(text) == count


@pytest.mark.parametrize("text", ["", "k", "two", "2kk", "7 GB"])
def test_what_is_no_count_is_nan(text: str) -> None:
    assert math.isnan(parse_count(text))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("9m", 540),
        ("2h10min", 7800),
        ("1d", 86400),
        ("1h 5m", 3900),
        ("1.5 h", 5400),
        ("540", 540),
        ("0", 0),
    ],
)
def test_a_time_is_read(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "ten", "-5s", "h", "1h5", "5x", "٣s", "1e3", "inf"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(LabError, match="is not a time; write one such as 90s"):
        parse_seconds(text)


@pytest.mark.parametrize("digits", [20, 400, 5000])
def test_a_time_beyond_any_calendar_is_refused_in_a_short_sentence(digits: int) -> None:
    with pytest.raises(LabError, match="is too long a time") as refused:
        parse_seconds("9" * digits + "h")
    assert len(str(refused.value)) < 120


def test_an_empty_day_is_not_today() -> None:
    with pytest.raises(LabError, match="'' is not a day"):
        parse_date("")
