import os
import sys
import time
from pathlib import Path

from llmlab.sleep.sandbox.process import Limits, Ran, run_limited


def run(code: str, folder: Path, **limits: float) -> Ran:
    return run_limited([sys.executable, "-c", code], folder, {}, Limits(**limits))


def test_output_and_status_are_kept(tmp_path: Path) -> None:
    ran = run("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)", tmp_path)
    assert (ran.code, ran.stdout, ran.stderr, ran.stopped) == (3, "out\n", "err\n", None)


def test_an_endless_command_is_stopped_in_time(tmp_path: Path) -> None:
    ran = run("import time; time.sleep(60)", tmp_path, seconds=0.3)
    assert ran.stopped == "time"
    assert ran.seconds < 10


def test_endless_output_is_cut(tmp_path: Path) -> None:
    ran = run("while True: print('x' * 1000)", tmp_path, output_bytes=10_000)
    assert ran.stopped == "output"
    assert len(ran.stdout) <= 10_000


def test_a_child_that_keeps_the_pipe_open_is_not_waited_for(tmp_path: Path) -> None:
    code = "import subprocess; print(subprocess.Popen(['sleep', '60']).pid)"
    ran = run(code, tmp_path, seconds=30)
    assert ran.seconds < 10
    assert is_gone(int(ran.stdout))


def is_gone(process: int) -> bool:
    """Whether a process that was killed has ended, or ends within a second."""
    for _ in range(20):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        if b") Z " in Path(f"/proc/{process}/stat").read_bytes():
            return True
        time.sleep(0.05)
    return False


def test_bytes_that_are_no_text_are_replaced(tmp_path: Path) -> None:
    ran = run("import sys; sys.stdout.buffer.write(b'\\xff')", tmp_path)
    assert ran.stdout == "\ufffd"
