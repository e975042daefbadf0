"""Folders that live as long as one judgement, in memory if there is room."""

import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 2**29
"""Bytes that have to be free; files in memory are made ten times faster than on a disk."""


def scratch() -> tempfile.TemporaryDirectory[str]:
    """A folder that is removed at the end of the `with` block."""
    is_usable = os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM
    return tempfile.TemporaryDirectory(
        prefix="koans-", dir=MEMORY if is_usable else None, ignore_cleanup_errors=True
    )
