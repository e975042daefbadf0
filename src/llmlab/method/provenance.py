"""What computed a result: commit, machine, libraries."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

SOURCES = ("src", "chapters/hypotheses")
LIBRARIES = (
    *("bitsandbytes", "numpy", "pandas", "peft", "safetensors", "scipy", "tokenizers", "torch"),
    "transformers",
)


def git_state(root: Path, sources: Iterable[str | Path] = SOURCES) -> tuple[str, bool]:
    """The commit checked out at `root`, and whether any of the `sources` differs from it.

    ("unknown", False) where there is no git or no commit.
    """
    commit = _git(root, "rev-parse", "HEAD")
    changed = _git(root, "status", "--porcelain", "--", *map(str, sources))
    return (commit, bool(changed)) if commit else ("unknown", False)


def _git(root: Path, *arguments: str) -> str:
    """What git prints, or nothing if it fails or is not there."""
    try:
        command = ["git", "-C", str(root), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def host() -> str:
    """Operating system and machine type, e.g. "Linux x86_64"."""
    return f"{platform.system()} {platform.machine()}"


def device() -> str:
    """What this process computed on: the GPU's name if it used one, otherwise the processor.

    PyTorch is asked only if the run has loaded it.
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
    """The processor's model name where Linux tells it, otherwise its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def libraries() -> dict[str, str]:
    """Versions of Python and of the installed libraries that can change a number."""
    versions = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
