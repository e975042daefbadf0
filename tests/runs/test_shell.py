import shlex
from pathlib import Path

from llmlab.runs.shell import command


def test_a_command_can_be_pasted() -> None:
    shown = command("llmlab", "generate", Path("my runs/it's"), "--tokens", 3)
    assert shlex.split(shown.strip("`")) == [
        *("llmlab", "generate", "my runs/it's", "--tokens", "3")
    ]


def test_a_path_that_begins_with_a_dash_is_no_option() -> None:
    assert command("llmlab", "merge", Path("-run"), "--out") == "`llmlab merge ./-run --out`"
