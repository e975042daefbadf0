"""A version of the book is a git tag such as v1.0."""

import re
from dataclasses import dataclass
from pathlib import Path

from llmlab.method.errors import LabError
from llmlab.method.git import git

VERSION = re.compile(r"\d+(\.\d+){1,2}")
_FORMAT = "%(refname:strip=2) %(*objectname)%(objectname)"


@dataclass(frozen=True)
class Tag:
    """A tagged version.

    Attributes:
        name: of the tag, "v1.0".
        commit: that it stands for, 40 digits.
    """

    name: str
    commit: str

    @property
    def version(self) -> str:
        return self.name.removeprefix("v")


def check_version(version: str) -> None:
    """See that a version has the form of one; LabError if not."""
    if not VERSION.fullmatch(version):
        raise LabError(f"{version!r} is no version: write it as 1.0 or 1.0.2.")


def version_tags(root: Path) -> list[Tag]:
    """The versions whose history leads here, the newest first; none where there is no git."""
    said = git(root, "for-each-ref", "--merged", "HEAD", "--format", _FORMAT, "refs/tags/v*")
    pairs = (line.split(" ", 1) for line in (said or b"").decode().splitlines())
    # an annotated tag prints the commit, then itself
    found = [Tag(name, commit[:40]) for name, commit in pairs if VERSION.fullmatch(name[1:])]
    return sorted(found, key=lambda tag: numbers(tag.version), reverse=True)


def former_version(root: Path) -> Tag | None:
    """The version before what is checked out, if there is one; a tag of this commit is none."""
    head = (git(root, "rev-parse", "HEAD") or b"").decode().strip()
    return next((tag for tag in version_tags(root) if tag.commit != head), None)


def tag_named(root: Path, name: str) -> Tag:
    """A tag, or any commit, by its name.

    Raises:
        LabError: this clone has none of that name.
    """
    said = git(root, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    if said is None:
        raise LabError(f"this clone has no tag or commit {name}: `git fetch --tags` may bring it.")
    return Tag(name, said.decode().strip())


def numbers(version: str) -> tuple[int, ...]:
    """Its numbers, by which versions are ordered: 1.10 comes after 1.9."""
    return tuple(int(part) for part in version.split("."))
