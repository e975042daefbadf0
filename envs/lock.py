"""Prints envs/constraints.txt: what is installed beside this interpreter, pinned (`make lock`)."""

from importlib.metadata import distributions

from packaging.utils import canonicalize_name
from packaging.version import Version

HEADER = """\
# Every package of `make`, pinned. Made by `make lock`: a fresh virtual environment with the newest
# releases that pyproject.toml admits, then the versions that pip chose. pip reads these lines as
# constraints: one binds only where its package is wanted, so they serve every platform.
"""

UNPINNED = ("llmlab", "setuptools", "wheel")
PLATFORM_ONLY = ("nvidia-", "cuda-", "triton")  # torch names the versions that it needs itself


def pins() -> list[str]:
    installed = {canonicalize_name(d.name): Version(d.version).public for d in distributions()}
    return [
        f"{name}=={version}"
        for name, version in sorted(installed.items())
        if name not in UNPINNED and not name.startswith(PLATFORM_ONLY)
    ]


if __name__ == "__main__":
    print(HEADER + "\n".join(pins()))
