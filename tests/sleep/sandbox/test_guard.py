import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from llmlab.sleep.sandbox import guard
from llmlab.sleep.sandbox.landlock import Landlock
from llmlab.sleep.sandbox.levels import failure
from llmlab.sleep.sandbox.process import Limits, Ran

NOBODY, PYTHON = 65534, "/usr/bin/python3"
NAP = "time.sleep(61.25)"
"""Not what any other test runs at the same time."""
works = pytest.mark.skipif(
    bool(Landlock().missing() or failure(Landlock())), reason="Landlock does not work here"
)


def run(code: str, folder: Path, **limits: float) -> Ran:
    python = str(Path(sys.executable).resolve())
    readable = (Path(sys.base_prefix),)
    return Landlock().run([python, "-I", "-S", "-c", code], folder, Limits(**limits), readable)


@works
def test_what_the_command_left_behind_is_ended(tmp_path: Path) -> None:
    code = f"import os\nif os.fork() == 0:\n    os.setsid()\n    import time; {NAP}\n"
    began = time.time()
    assert run(code, tmp_path).code == 0
    assert not sleeping_since(began)


@works
def test_what_was_left_ends_with_a_command_out_of_time_as_well(tmp_path: Path) -> None:
    code = f"import os, time\nif os.fork() == 0:\n    os.setsid()\n{NAP}\n"
    began = time.time()
    assert run(code, tmp_path, seconds=1).stopped == "time"
    assert not sleeping_since(began)


def sleeping_since(began: float) -> list[str]:
    """Commands that take the nap and were started since."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and process.stat().st_ctime >= began - 1:
                command = (process / "cmdline").read_bytes().decode()
                if NAP in command:
                    found.append(command)
        except OSError:
            continue
    return found


@works
def test_a_new_namespace_is_refused(tmp_path: Path) -> None:
    code = (
        "import ctypes, os\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "print(libc.unshare(0x10000000), ctypes.get_errno())\n"
    )
    assert run(code, tmp_path).stdout == "-1 1\n"


def test_the_filter_gives_every_known_call_its_own_line() -> None:
    for machine in guard.ARCHITECTURES:
        program = guard.filter_for(machine)
        numbers = [value for code, _, _, value in program if code == 0x15]
        assert len(set(numbers)) == len(guard.DENIED) + 3  # architecture, clone, clone3
        assert program[-1] == (0x06, 0, 0, guard.ALLOW)


def test_an_unknown_architecture_has_no_filter() -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        guard.filter_for("vax")


@works
def test_a_command_that_is_not_there_is_told(tmp_path: Path) -> None:
    ran = Landlock().run(["/usr/bin/nothing"], tmp_path, Limits())
    assert ran.code == 127
    assert "No such file" in ran.stderr


@pytest.fixture
def nobodys() -> Iterator[Path]:
    """A folder of nobody's that nobody may reach."""
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, NOBODY, NOBODY)
        yield Path(folder)


@works
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become someone else")
@pytest.mark.skipif(not Path(PYTHON).exists(), reason=f"there is no {PYTHON}")
def test_an_unprivileged_user_has_the_walls_as_well(nobodys: Path) -> None:
    order = {
        "command": ["/bin/sh", "-c", "echo in > here; cat /etc/passwd"],
        "folder": str(nobodys),
        "readable": ["/usr", "/bin", "/lib", "/lib64"],
        "devices": ["/dev/null"],
        "environment": {},
        "limits": asdict(Limits()),
        "user": None,
    }
    text = Path(guard.__file__).read_text(encoding="utf-8")
    ran = subprocess.run(
        [PYTHON, "-I", "-S", "-c", text, json.dumps(order)],
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Permission denied" in ran.stderr
    assert (nobodys / "here").read_text() == "in\n"
