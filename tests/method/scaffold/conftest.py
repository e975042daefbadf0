from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def everything() -> Callable[[Path], dict[Path, bytes]]:
    """Reads all files and folders below a folder, but for what is built."""

    def read(root: Path) -> dict[Path, bytes]:
        paths = (path for path in root.rglob("*") if not path.is_relative_to(root / "build"))
        return {path: path.read_bytes() if path.is_file() else b"" for path in paths}

    return read
