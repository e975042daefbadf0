from pathlib import Path

import pytest

from llmlab.runs.folder import RunFolder


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """The folder of a run that has not begun."""
    return RunFolder(tmp_path / "runs" / "micro")
