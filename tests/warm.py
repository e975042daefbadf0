"""A program in a fork of a process that has loaded its libraries, which saves seconds each time."""

import gc
import multiprocessing
import os
import runpy
import sys
from collections.abc import Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path

LIBRARIES = (
    *("snakemake.cli", "snakemake.report.html_reporter", "smart_open"),
    *("matplotlib.figure", "pandas", "scipy.special", "pydantic"),
)
"""Of what is tested none, since tests run copies of it."""

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(list(LIBRARIES))


def start_module(
    module: str, arguments: Sequence[str], folder: Path, output: Path
) -> ForkServerProcess:
    """Start `python -m module arguments` in a folder, as the leader of a group of processes.

    Args:
        output: a file for what is printed.
    """
    process = _FORKS.Process(target=_run, args=(module, tuple(arguments), folder, output))
    process.start()
    return process


def run_module(
    module: str, arguments: Sequence[str], folder: Path, output: Path, seconds: float
) -> tuple[int, str]:
    """As `start_module`, to the end: exit code, and what was printed.

    Raises:
        TimeoutError: it took longer than so many seconds; it is ended.
    """
    process = start_module(module, arguments, folder, output)
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        raise TimeoutError(output.read_text())
    return process.exitcode, output.read_text()


def _run(module: str, arguments: tuple[str, ...], folder: Path, output: Path) -> None:
    gc.disable()  # it ends before there is much to collect
    os.setsid()
    with output.open("wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.chdir(folder)
    sys.path[0] = str(folder)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
