"""A Slurm of one node for tests: its three daemons, started in a folder and ended again.

Nothing of the machine's own Slurm is touched: key, sockets, ports and state are of the folder. Two
partitions, so that a job of "urgent" takes the node from one of "main", as on a cluster where nodes
are lent.
"""

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
CLIENTS = ("sbatch", "scancel", "scontrol", "sinfo", "squeue", "srun")
CORES = 8
"""That the node claims to have: jobs of the profile ask for so many."""

CONFIG = """
ClusterName=llmlab
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={control_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munged.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/jobs.txt
MpiDefault=none
KillWait=5
ReturnToService=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory=64000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES PriorityTier=1 State=UP
PartitionName=urgent Nodes=ALL PriorityTier=2 State=UP
"""


@dataclass(frozen=True)
class Node:
    """The node.

    Attributes:
        folder: with its configuration, logs, and `jobs.txt`, a line for each job that ended.
        environment: in which Slurm's commands speak to it.
    """

    folder: Path
    environment: Mapping[str, str]

    def ask(self, *command: str) -> str:
        """What a command of Slurm prints."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout

    def waiting_again(self) -> list[str]:
        """The jobs that lost their node and wait for another."""
        jobs = self.ask("scontrol", "--oneliner", "show", "job").splitlines()
        return [
            re.search(r"JobId=(\d+)", job)[1]
            for job in jobs
            if "JobState=PENDING" in job and "Restarts=0" not in job
        ]


def why_not() -> str:
    """Why no node can be started here; empty if one can."""
    missing = [name for name in (*DAEMONS, *CLIENTS) if _program(name) is None]
    if missing:
        return f"Slurm is not installed ({', '.join(missing)}): apt-get install slurm-wlm munge"
    return "" if os.geteuid() == 0 else "slurmd starts jobs as root alone"


@contextmanager
def one_node(folder: Path) -> Iterator[Node]:
    """A node that takes jobs, until the block ends.

    Raises:
        TimeoutError: it does not come up.
    """
    node = _written(folder)
    try:
        for daemon in DAEMONS:
            _start(node, daemon)
        wait_for(lambda: "idle" in node.ask("sinfo", "--noheader", "--format=%T"), 60)
        yield node
    finally:
        with suppress(subprocess.SubprocessError, TimeoutError):
            node.ask("scancel", "--user=root")  # what a failed test left
            wait_for(lambda: not node.ask("squeue", "--noheader"), 30)
        for daemon in reversed(DAEMONS):
            _end(folder / f"{daemon}.pid")


def wait_for(happened: Callable[[], bool], seconds: float) -> None:
    """Wait until something has happened; TimeoutError after so many seconds."""
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            raise TimeoutError("waited in vain")
        time.sleep(0.1)


def _written(folder: Path) -> Node:
    """The folder of a node, and an environment of commands that know its configuration."""
    for name in ("state", "spool", "bin"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)  # munged asks who may look into the folder of its socket
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(128))
    control_port, node_port = _free_ports(2)
    config = folder / "slurm.conf"
    config.write_text(
        CONFIG.format(
            host=socket.gethostname().partition(".")[0],
            folder=folder,
            user="root",
            cores=CORES,
            control_port=control_port,
            node_port=node_port,
        ),
        encoding="utf-8",
    )
    # by scripts and no variable: Snakemake's jobs start without those of Slurm
    for name in CLIENTS:
        script = folder / "bin" / name
        script.write_text(f'#!/bin/sh\nSLURM_CONF="{config}" exec {_program(name)} "$@"\n')
        script.chmod(0o755)
    return Node(folder, os.environ | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"})


def _start(node: Node, daemon: str) -> None:
    folder = node.folder
    options = {
        "munged": [
            "--force", "--num-threads=2", f"--key-file={folder}/munge.key",
            f"--socket={folder}/munged.socket", f"--pid-file={folder}/munged.pid",
            f"--log-file={folder}/munged.log", f"--seed-file={folder}/munged.seed",
        ],
    }.get(daemon, ["-f", str(folder / "slurm.conf")])  # fmt: skip
    subprocess.run([_program(daemon), *options], env=node.environment, check=True, timeout=30)


def _end(pid_file: Path) -> None:
    """End a daemon, if it was started, and wait for it."""
    if not pid_file.is_file():
        return
    pid = int(pid_file.read_text())
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not Path("/proc", str(pid)).exists(), 20)


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
