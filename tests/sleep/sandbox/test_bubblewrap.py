import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llmlab.sleep.sandbox import bubblewrap
from llmlab.sleep.sandbox.bubblewrap import INSIDE, TOOLS, Bubblewrap
from llmlab.sleep.sandbox.levels import failure
from llmlab.sleep.sandbox.process import Limits, Ran, run_limited

NOBODY = 65534
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become someone else"),
    pytest.mark.skipif(bool(Bubblewrap().missing()), reason="there is no bubblewrap"),
]


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Ran]]:
    """Runs a line of sh in the sandbox of a user who is not root."""
    if reason := failure(Bubblewrap()):
        pytest.skip(f"bubblewrap does not work here: {reason}")
    monkeypatch.setattr(
        bubblewrap,
        "run_limited",
        lambda command, *rest, **more: run_limited([*AS_NOBODY, *command], *rest, **more),
    )
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, NOBODY, NOBODY)
        run = Bubblewrap().run
        if run(["/bin/true"], Path(folder), Limits()).code:
            pytest.skip("only root may make namespaces here")
        yield lambda line: run(["/bin/sh", "-c", line], Path(folder), Limits())


@pytest.mark.parametrize("place", ["/", "/dev", "/dev/shm", "/usr"])
def test_without_root_only_the_folder_and_tmp_take_files(
    shell: Callable[[str], Ran], place: str
) -> None:
    ran = shell(f"echo 1 > {INSIDE}/x; echo 1 > /tmp/x; echo 1 > /dev/null; echo 1 > {place}/x")
    assert ran.code != 0
    assert ran.stderr.count("Read-only file system") == 1


def test_python_runs_with_its_own_library_and_not_with_one_of_the_system(tmp_path: Path) -> None:
    if reason := failure(Bubblewrap()):
        pytest.skip(f"bubblewrap does not work here: {reason}")
    program = str(Path(sys.executable).resolve())
    line = "print(*{each.split()[-1] for each in open('/proc/self/maps') if 'python' in each})"
    base = Path(sys.base_prefix)
    ran = Bubblewrap().run([program, "-I", "-S", "-c", line], tmp_path, Limits(), [base])
    assert ran.code == 0, ran.stderr
    inside = base if program.startswith("/usr/") else TOOLS
    assert all(Path(path).is_relative_to(inside) for path in ran.stdout.split())
