"""The show on terminals of several kinds."""

import io

import pytest
from rich.console import Console

from llmlab.cluster.show.scenario import Scenario
from llmlab.cluster.show.screen import Screen
from llmlab.cluster.show.stage import play


def painted(width: int, encoding: str = "utf-8", **more: object) -> str:
    """What a terminal of so many columns was sent."""
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, errors="strict", write_through=True)
    console = Console(file=file, force_terminal=True, width=width, height=40, **more)
    scenario = Scenario(model="1B", gpus=64, steps=20, validate_every=10)
    Screen(console).show(play(scenario, seed=1, runs=1))
    return raw.getvalue().decode(encoding)


def test_a_wide_terminal_shows_both_nodes_and_the_rest() -> None:
    text = painted(120, no_color=True)
    assert "node-0000" in text
    assert "node-0001" in text
    assert "48 more" in text


@pytest.mark.parametrize("width", [30, 60])
def test_a_narrow_terminal_shows_steps(width: int) -> None:
    assert "step 20" in painted(width, no_color=True)


def test_no_colour_sends_none() -> None:
    assert "\x1b[36m" not in painted(80, no_color=True)
    assert "\x1b[36m" in painted(80, color_system="standard")


def test_a_terminal_without_utf8_gets_ascii() -> None:
    assert "GPU 0" in painted(80, encoding="ascii")  # another character would raise


def test_the_cursor_is_back_at_the_end() -> None:
    text = painted(80)
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l")


def test_a_terminal_echoes_ctrl_c_below_the_panel() -> None:
    """On an empty line: beside a full one it would wrap, and the panel would stand there twice."""
    assert painted(80, no_color=True).rstrip("\r\n\x1b[?25h").endswith("left")
    console = Console(file=io.StringIO(), width=80, height=40)
    assert console.render_lines(Screen(console)._panel())[-1][0].text.strip() == ""
