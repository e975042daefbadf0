import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from llmlab.method.errors import LabError
from llmlab.watch.command import app, listen


def refused(*arguments: str) -> str:
    with pytest.raises(LabError) as error:
        CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    return str(error.value)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "there is no folder" in refused(str(tmp_path / "none"))


def test_a_taken_port_is_refused() -> None:
    with listen(0) as taken, pytest.raises(LabError, match="choose another"):
        listen(taken.getsockname()[1])


def test_only_this_machine_can_ask() -> None:
    with listen(0) as listening:
        assert listening.family == socket.AF_INET
        assert listening.getsockname()[0] == "127.0.0.1"
