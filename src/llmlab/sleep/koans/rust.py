"""Compiles and runs Rust programs: many in one crate, since the compiler is slow to begin.

Each program is a file that its module includes, so that no brace in it can end the module. Errors
name their file; programs with an error leave the crate and the rest is compiled again, until
nothing is red. What is left runs in one process, which announces each case before it runs it: a
program that ends or blocks the process is the one announced last, and the next process goes on
behind it.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path

from pydantic_core import from_json

from llmlab.method.errors import LabError
from llmlab.sleep.koans.koan import Program
from llmlab.sleep.koans.running import run_in_turn
from llmlab.sleep.koans.verdict import Seen, Verdict
from llmlab.sleep.sandbox.process import Limits, Ran
from llmlab.sleep.sandbox.sandbox import Sandbox
from llmlab.sleep.sandbox.scratch import scratch

BATCH = 250
"""Programs of one crate: beyond, the compiler gains no more."""
AT_ONCE = 2
"""Crates side by side."""
COMPILE = Limits(seconds=30.0, cpu_seconds=60, memory_bytes=4 * 2**30, output_bytes=2**25)
RUN = Limits(seconds=20.0, cpu_seconds=1, memory_bytes=2**30)
"""Two hundred programs take a tenth of a second: whatever uses a whole one does not end."""
FLAGS = (
    "--edition=2021",
    "-Awarnings",
    "--error-format=json",
    "-Cdebuginfo=0",
    "-Ccodegen-units=1",
)
FILE = re.compile(r"(?:^|/)([pm])(\d+)\.rs$")

HARNESS = """
use std::io::Write;
use std::panic;

fn tell(line: String) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

fn show<T: std::fmt::Debug>(value: T) -> String {
    format!("{value:?}")
}

fn judge(mark: &str, from: usize, item: usize, count: usize, value: fn(usize) -> String) {
    if item < from {
        return;
    }
    for index in 0..count {
        tell(format!("{mark} {item} {index} ?"));
        match panic::catch_unwind(|| value(index)) {
            Ok(value) => tell(format!("{mark} {item} {index} = {}", value.replace('\\n', "\\\\n"))),
            Err(_) => return,
        }
    }
}

fn report(mark: &str, info: &panic::PanicHookInfo) {
    let line = info.location().map_or(0, |place| place.line());
    let text = match info.payload().downcast_ref::<String>() {
        Some(text) => text.as_str(),
        None => info.payload().downcast_ref::<&str>().copied().unwrap_or("panic"),
    };
    tell(format!("{mark} raised {line} panic {}", text.replace('\\n', " ")));
}

fn main() {
    let mark = std::env::args().nth(1).unwrap();
    let from: usize = std::env::args().nth(2).unwrap().parse().unwrap();
    let named = mark.clone();
    panic::set_hook(Box::new(move |info| report(&named, info)));
"""


@dataclass(frozen=True)
class Compiler:
    """A Rust compiler: the program itself, and the folder that it needs to read."""

    program: Path
    sysroot: Path
    version: str


@cache
def compiler() -> Compiler | None:
    """The Rust compiler of this machine, or None; behind rustup's proxy the real one."""
    if not shutil.which("rustc"):
        return None
    try:
        sysroot = Path(_said("rustc", "--print", "sysroot"))
        program = sysroot / "bin" / "rustc"
        program = program if program.exists() else Path(shutil.which("rustc"))
        return Compiler(program, sysroot, _said(str(program), "--version"))
    except (OSError, subprocess.SubprocessError):
        return None  # a proxy without a toolchain


def _said(*command: str) -> str:
    neutral = os.environ | {"LC_ALL": "C"}  # rustup finds its toolchain by HOME and its own names
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", env=neutral, timeout=60, check=True
    )
    return done.stdout.strip()


def need_compiler() -> Compiler:
    """The Rust compiler of this machine.

    Raises:
        LabError: there is none.
    """
    found = compiler()
    if found is None:
        raise LabError(
            "there is no Rust compiler (rustc) on the PATH: install one from https://rustup.rs, "
            "or take generated koans with --generated 100 --language python."
        )
    return found


def run_rust(programs: Sequence[Program], sandbox: Sandbox) -> list[Seen]:
    """Compile and run programs, up to `BATCH` of them in one crate.

    Raises:
        LabError: there is no Rust compiler.
    """
    need_compiler()
    size = 1 if sandbox.isolates else BATCH  # what needs a wall gets one for itself
    batches = [programs[start : start + size] for start in range(0, len(programs), size)]
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return list(
            chain.from_iterable(pool.map(lambda batch: _run_batch(batch, sandbox), batches))
        )


def _run_batch(programs: Sequence[Program], sandbox: Sandbox) -> list[Seen]:
    with scratch() as folder:
        found = _run_crate(dict(enumerate(programs)), sandbox, Path(folder))
    return [found[number] for number in range(len(programs))]


# Compiling


def _run_crate(programs: Mapping[int, Program], sandbox: Sandbox, folder: Path) -> dict[int, Seen]:
    """What came of each program, by its number."""
    seen: dict[int, Seen] = {}
    for number, program in programs.items():
        _write_module(folder, number, program)
    left = dict(programs)
    while left:
        ran = _compile(left, sandbox, folder)
        if ran.code == 0 and not ran.stopped:
            return seen | _run(left, sandbox, folder)
        errors = {} if ran.stopped else _errors(ran.stderr)
        if not errors:
            return seen | _in_halves(left, ran, sandbox)
        seen |= {number: Seen(failure=error) for number, error in errors.items()}
        left = {number: program for number, program in left.items() if number not in errors}
    return seen


def _in_halves(programs: Mapping[int, Program], ran: Ran, sandbox: Sandbox) -> dict[int, Seen]:
    """Take apart what the compiler blames on nobody, until one program is alone with it."""
    if len(programs) == 1:
        return {number: Seen(failure=_blamed(ran)) for number in programs}
    numbers = list(programs)
    middle = len(numbers) // 2
    seen: dict[int, Seen] = {}
    for half in (numbers[:middle], numbers[middle:]):
        with scratch() as folder:
            seen |= _run_crate({n: programs[n] for n in half}, sandbox, Path(folder))
    return seen


def _blamed(ran: Ran) -> Verdict:
    if ran.stopped:
        return Verdict("limit", ran.stopped, 0, f"the compiler reached its limit of {ran.stopped}")
    said = [entry.get("message", "") for entry in _diagnostics(ran.stderr)] or [ran.stderr.strip()]
    return Verdict("compile", "compiler", 0, (said[0] or f"rustc ended with {ran.code}")[:300])


def _write_module(folder: Path, number: int, program: Program) -> None:
    (folder / f"p{number}.rs").write_text(program.code, encoding="utf-8")
    arms = "".join(
        f"{index} => crate::show({case.expression}),\n" for index, case in enumerate(program.cases)
    )
    (folder / f"m{number}.rs").write_text(
        f'include!("p{number}.rs");\n'
        "pub mod cases_of_the_koan {\nuse super::*;\n"
        "pub fn value(case: usize) -> ::std::string::String {\n"
        f"match case {{\n{arms}_ => ::std::string::String::new(),\n}}\n}}\n}}\n",
        encoding="utf-8",
    )


def _compile(programs: Mapping[int, Program], sandbox: Sandbox, folder: Path) -> Ran:
    modules = "".join(f"mod m{number};\n" for number in programs)
    calls = "".join(
        f"    judge(&mark, from, {number}, {len(program.cases)}, "
        f"m{number}::cases_of_the_koan::value);\n"
        for number, program in programs.items()
    )
    main = folder / "main.rs"
    main.write_text(f"{modules}{HARNESS}{calls}}}\n", encoding="utf-8")
    found = need_compiler()
    command = [str(found.program), *FLAGS, "-o", "koans", "main.rs"]
    return sandbox.run(command, folder, COMPILE, readable=(found.sysroot,))


def _errors(stderr: str) -> dict[int, Verdict]:
    """The first error of each program that has one."""
    found: dict[int, Verdict] = {}
    for entry in _diagnostics(stderr):
        for number, line, label in _places(entry):
            code = (entry.get("code") or {}).get("code") or "syntax"
            message = entry["message"] + (f" ({label})" if label else "")
            found.setdefault(number, Verdict("compile", code, line, message))
            break
    return found


def _diagnostics(stderr: str) -> Iterator[dict]:
    for text in stderr.splitlines():
        try:
            entry = from_json(text)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("level") == "error":
            yield entry


def _places(entry: dict) -> Iterator[tuple[int, int, str]]:
    """Program, line and label of a diagnostic: the primary place first, out of macros."""
    spans = sorted(entry.get("spans", ()), key=lambda span: not span["is_primary"])
    for span in spans:
        label = span.get("label") or ""
        while span:
            if match := FILE.search(span["file_name"]):
                in_program = match[1] == "p"
                yield int(match[2]), span["line_start"] if in_program else 0, label
            span = (span.get("expansion") or {}).get("span")


# Running


def _run(programs: Mapping[int, Program], sandbox: Sandbox, folder: Path) -> dict[int, Seen]:
    """Run compiled programs, one after another, each process behind the one that ended the last."""
    return run_in_turn(
        {number: program.cases for number, program in programs.items()},
        lambda mark, first: sandbox.run(["./koans", mark, str(first)], folder, RUN),
    )
