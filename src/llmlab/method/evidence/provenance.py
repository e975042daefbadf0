"""Provenance of a result: commit, machine, libraries."""

import os
import platform
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from llmlab.method.git import git

SOURCES = ("src", "chapters/hypotheses")
LIBRARIES = (
    *("bitsandbytes", "numpy", "pandas", "peft", "safetensors", "scipy", "tokenizers", "torch"),
    "transformers",
)


class GitState(NamedTuple):
    """The checked-out commit, or "unknown"; `dirty` if relevant files differ from it."""

    commit: str
    dirty: bool

    def __str__(self) -> str:
        return f"{self.commit} with changes" if self.dirty else self.commit


def git_state(root: Path, sources: Iterable[str | Path] = SOURCES) -> GitState:
    """The commit checked out at `root`, and whether any of the `sources` differs from it.

    ("unknown", False) without git or without a commit; dirty if git cannot tell.
    """
    head = git(root, "rev-parse", "HEAD")
    if head is None:
        return GitState("unknown", dirty=False)
    changed = git(root, "status", "--porcelain", "-z", "--untracked-files=all", "--", *sources)
    return GitState(head.decode().strip(), dirty=changed != b"")  # None: git cannot tell


def host() -> str:
    """Operating system and machine type, e.g. "Linux x86_64"."""
    return f"{platform.system()} {platform.machine()}"


def device() -> str:
    """The device that this process computed on: the GPU's name if it used one, else the processor.

    Queries PyTorch only if the run has loaded it.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return torch.cuda.get_device_name()
    return f"{available_cores()} x {_processor()}"


def available_cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    """The processor's model name if Linux reports it, otherwise its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def libraries() -> dict[str, str]:
    """Versions of Python and of the installed libraries that can change a result."""
    versions = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
