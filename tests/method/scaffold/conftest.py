from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def everything() -> Callable[[Path], dict[Path, bytes]]:
    """Reads all files below a folder."""

    def read(root: Path) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}

    return read
