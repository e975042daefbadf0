"""Runs Python programs, many in one process; they work without a Rust compiler."""

import json
import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
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
AT_ONCE = 2
"""Processes side by side."""


def run_python(programs: Sequence[Program], sandbox: Sandbox) -> list[Seen]:
    """Run programs, up to `BATCH` of them in one process."""
    size = 1 if sandbox.isolates else BATCH  # what needs a wall gets one for itself
    batches = [programs[start : start + size] for start in range(0, len(programs), size)]
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return list(
            chain.from_iterable(pool.map(lambda batch: _run_batch(batch, sandbox), batches))
        )


def _run_batch(programs: Sequence[Program], sandbox: Sandbox) -> list[Seen]:
    with scratch() as folder:
        return _run(programs, sandbox, Path(folder))


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
    """A program that is not valid Python did not compile."""
    if seen.failure is None or seen.failure.error not in SYNTAX:
        return seen
    return replace(seen, failure=replace(seen.failure, outcome="compile"))
