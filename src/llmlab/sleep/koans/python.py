"""Runs Python programs, many in one process; a machine without a Rust compiler has these."""

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from llmlab.sleep.koans import python_harness
from llmlab.sleep.koans.koan import Program
from llmlab.sleep.koans.running import run_in_turn
from llmlab.sleep.koans.verdict import Seen
from llmlab.sleep.sandbox.process import Limits, Ran
from llmlab.sleep.sandbox.sandbox import Sandbox
from llmlab.sleep.sandbox.scratch import scratch

RUN = Limits(seconds=20.0, cpu_seconds=1, memory_bytes=2**29)
HARNESS = Path(python_harness.__file__)
SYNTAX = ("SyntaxError", "IndentationError", "TabError")
BATCH = 500
"""Programs of one process."""


def run_python(programs: Sequence[Program], sandbox: Sandbox) -> list[Seen]:
    """Run programs, up to `BATCH` of them in one process."""
    seen: list[Seen] = []
    for start in range(0, len(programs), BATCH):
        with scratch() as folder:
            seen += _run(programs[start : start + BATCH], sandbox, Path(folder))
    return seen


def _run(programs: Sequence[Program], sandbox: Sandbox, folder: Path) -> list[Seen]:
    content = [
        [number, program.code, [case.expression for case in program.cases]]
        for number, program in enumerate(programs)
    ]
    (folder / "programs.json").write_text(json.dumps(content), encoding="utf-8")
    shutil.copyfile(HARNESS, folder / HARNESS.name)
    command = [str(Path(sys.executable).resolve()), "-I", "-S", HARNESS.name]

    def start(mark: str, first: int) -> Ran:
        return sandbox.run([*command, mark, str(first)], folder, RUN, (Path(sys.base_prefix),))

    found = run_in_turn({n: program.cases for n, program in enumerate(programs)}, start)
    return [_as_compiled(found[number]) for number in range(len(programs))]


def _as_compiled(seen: Seen) -> Seen:
    """A program that is no Python did not compile."""
    if seen.failure is None or seen.failure.error not in SYNTAX:
        return seen
    return replace(seen, failure=replace(seen.failure, outcome="compile"))
