"""Orders to podman and docker, which a script of the same name writes down and obeys without walls.

The suite of hostile programs is what tries a real container, where there is one.
"""

import os
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from llmlab.sleep.sandbox import container
from llmlab.sleep.sandbox.container import IMAGE, Container
from llmlab.sleep.sandbox.levels import failure
from llmlab.sleep.sandbox.process import Limits

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="containers need Linux here")
RUNTIME = """#!/bin/sh
echo "$@" >> {log}
case "$1" in
  info) echo "{security}" ;;
  image) exit {inspected} ;;
  import) cat > {archive}; echo "no space left" >&2; exit {imported} ;;
  run) while [ "$1" != {image} ]; do shift; done; shift; exec "$@" ;;
esac
"""
LIMITS = Limits(seconds=5, cpu_seconds=3, memory_bytes=2**28, processes=9, file_bytes=2**20)
Runtime = Callable[..., Path]


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """Puts a runtime on the path and gives the file in which it writes down its orders."""

    def install(name: str = "podman", security: str = "", inspected: int = 1, imported: int = 0):
        log, folder = tmp_path / "orders", tmp_path / "bin"
        folder.mkdir()
        script = RUNTIME.format(
            log=log,
            security=security,
            inspected=inspected,
            imported=imported,
            archive=tmp_path / "image.tar",
            image=IMAGE,
        )
        (folder / name).write_text(script, encoding="utf-8")
        (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        monkeypatch.setattr(container, "RUNTIMES", (name,))
        return log

    yield install
    container._unfit.cache_clear()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def run_order(log: Path) -> list[str]:
    """The words of the last order to run something."""
    return [line for line in log.read_text().splitlines() if line.startswith("run ")][-1].split()


def test_an_empty_image_is_made_once_and_a_command_comes_up(
    runtime: Runtime, tmp_path: Path
) -> None:
    log = runtime()
    assert Container().missing() == Container().missing() == failure(Container()) == ""
    imports = [line for line in log.read_text().splitlines() if line.startswith("import")]
    assert imports == [f"import - {IMAGE}"]
    with tarfile.open(tmp_path / "image.tar") as archive:
        assert archive.getnames() == []


def test_every_wall_is_ordered(runtime: Runtime, work: Path) -> None:
    log = runtime()
    tools = work.parent / "tools"
    Container().run(["/bin/true"], work, LIMITS, readable=(tools,))
    order = run_order(log)
    assert {
        *("--rm", "--network=none", "--read-only", "--cap-drop=ALL", "--log-driver=none"),
        *("--security-opt=no-new-privileges", "--pids-limit=9", "--ulimit=cpu=3:4"),
        *(f"--memory={2**28}", f"--memory-swap={2**28}", f"--ulimit=fsize={2**20}"),
        *(f"--tmpfs=/tmp:rw,nosuid,nodev,size={2**20}", f"--volume={work}:/work:rw"),
        *("--volume=/usr:/usr:ro", f"--volume={tools}:/tools/0:ro", "--read-only-tmpfs=false"),
    } <= set(order)
    writable = [word for word in order if word.startswith("--volume") and not word.endswith(":ro")]
    assert writable == [f"--volume={work}:/work:rw"]


def test_the_command_is_nobodys(runtime: Runtime, work: Path) -> None:
    log = runtime()
    Container().run(["/bin/true"], work, LIMITS)
    owner = os.stat(work).st_uid
    if os.geteuid() == 0:
        assert owner != 0
        assert f"--user={owner}:{owner}" in run_order(log)
    else:
        assert "--userns=keep-id" in run_order(log)


def test_output_and_status_come_back_and_the_environment_stays_out(
    runtime: Runtime, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime()
    monkeypatch.setenv("SECRET_OF_THE_TEST", "hidden")
    ran = Container().run(["/bin/sh", "-c", "env; echo no >&2; exit 3"], work, LIMITS)
    assert (ran.code, ran.stderr, ran.stopped) == (3, "no\n", None)
    assert "PATH=" in ran.stdout
    assert "hidden" not in ran.stdout


def test_a_program_of_what_is_readable_is_called_by_its_place_inside(
    runtime: Runtime, work: Path
) -> None:
    log = runtime()
    tools = work.parent / "tools"
    Container().run([str(tools / "bin" / "compiler")], work, LIMITS, readable=(tools,))
    assert run_order(log)[-1] == "/tools/0/bin/compiler"


def test_a_container_out_of_time_is_removed(runtime: Runtime, work: Path) -> None:
    log = runtime()
    ran = Container().run(["/bin/sleep", "60"], work, Limits(seconds=0.2))
    assert ran.stopped == "time"
    (name,) = (word for word in run_order(log) if word.startswith("--name="))
    assert log.read_text().splitlines()[-1] == f"rm --force {name.removeprefix('--name=')}"


def test_a_docker_whose_daemon_is_root_is_refused(runtime: Runtime) -> None:
    runtime("docker", security="[name=seccomp,profile=builtin name=cgroupns]")
    assert Container().missing() == "docker's daemon does not answer, or runs as root"


def test_in_a_rootless_docker_root_is_the_user_outside(runtime: Runtime, work: Path) -> None:
    log = runtime("docker", security="[name=seccomp,profile=builtin name=rootless]", inspected=0)
    assert Container().missing() == ""
    Container().run(["/bin/true"], work, LIMITS)
    assert "--user=0:0" in run_order(log)
    assert "import" not in log.read_text()


def test_what_the_runtime_says_is_the_reason(runtime: Runtime) -> None:
    runtime(imported=125)
    assert Container().missing() == "podman makes no image (no space left)"


def test_nobody_who_runs_containers_is_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert Container().missing() == "neither podman nor docker is installed"
