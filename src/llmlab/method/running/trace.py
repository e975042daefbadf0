"""Trace the functions of the package that a run calls."""

import os
import sys
from pathlib import Path
from types import FrameType

from llmlab.method.evidence import modules

TRACE = "LLMLAB_TRACE"
"""Environment variable with the folder in which worker processes log the functions they call."""

Called = tuple[str, int]
"""A function, as its file and first line, decorators included."""


def start_trace() -> None:
    """Log the functions of the package that this process calls, if the environment says so."""
    folder = os.environ.get(TRACE)
    if not folder:
        return
    noted: set[Called] = set()
    source = str(modules.SOURCE)
    notes = (Path(folder) / f"{os.getpid()}.txt").open("a", encoding="utf-8", buffering=1)

    def note(frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        called = (code.co_filename, code.co_firstlineno)
        if event == "call" and called not in noted and code.co_filename.startswith(source):
            noted.add(called)
            notes.write(f"{code.co_firstlineno} {code.co_filename}\n")

    sys.setprofile(note)


def read_trace(folder: Path) -> set[Called]:
    """All functions logged in a folder, by any process."""
    lines = (line for path in folder.glob("*.txt") for line in path.read_text("utf-8").splitlines())
    pairs = (line.split(" ", 1) for line in lines)
    return {(path, int(first)) for first, path in pairs}
