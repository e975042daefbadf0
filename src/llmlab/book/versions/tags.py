"""Versions of the book as git tags such as v1.0."""

import re
from dataclasses import dataclass
from pathlib import Path

from llmlab.method.errors import LabError
from llmlab.method.git import git

VERSION = re.compile(r"\d+(\.\d+){1,2}", re.ASCII)
_FORMAT = "%(refname:strip=2) %(*objectname)%(objectname)"


@dataclass(frozen=True)
class Tag:
    """A tagged version.

    Attributes:
        name: name of the tag, such as "v1.0".
        commit: its commit, 40 digits.
    """

    name: str
    commit: str

    @property
    def version(self) -> str:
        return self.name.removeprefix("v")


def check_version(version: str) -> None:
    """Raise LabError if a version is malformed."""
    if not VERSION.fullmatch(version):
        raise LabError(f"{version!r} is not a version; write it as 1.0 or 1.0.2.")


def version_tags(root: Path) -> list[Tag]:
    """The versions in the history of this commit, newest first; none without git."""
    said = git(root, "for-each-ref", "--merged", "HEAD", "--format", _FORMAT, "refs/tags/v*")
    pairs = (line.split(" ", 1) for line in (said or b"").decode().splitlines())
    # an annotated tag prints the commit, then itself
    found = [Tag(name, commit[:40]) for name, commit in pairs if VERSION.fullmatch(name[1:])]
    return sorted(found, key=lambda tag: numbers(tag.version), reverse=True)


def former_version(root: Path) -> Tag | None:
    """The version before the checked-out commit, if any; ignores tags of this commit."""
    head = (git(root, "rev-parse", "HEAD") or b"").decode().strip()
    return next((tag for tag in version_tags(root) if tag.commit != head), None)


def tag_named(root: Path, name: str) -> Tag:
    """Find a tag, or any commit, by its name.

    Raises:
        LabError: git finds no tag or commit of that name, or is not installed.
    """
    said = git(root, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    if said is None:
        raise LabError(
            f"git finds no tag or commit {name} here; try `git fetch --tags` in a clone."
        )
    return Tag(name, said.decode().strip())


def numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version, for sorting: 1.10 comes after 1.9."""
    return tuple(int(part) for part in version.split("."))
