"""Whoever opens a lab finds each of its modules in the docstring of its package."""

import ast
from pathlib import Path

import pytest

import llmlab

SOURCE = Path(llmlab.__file__).parent
LABS = ("cluster", "finetune", "gpt", "market", "sleep", "watch")
PACKAGES = sorted(
    path.parent.relative_to(SOURCE).as_posix()
    for lab in LABS
    for path in (SOURCE / lab).rglob("__init__.py")
)


def documented(package: str) -> str:
    text = (SOURCE / package / "__init__.py").read_text(encoding="utf-8")
    return ast.get_docstring(ast.parse(text)) or ""


@pytest.mark.parametrize("package", PACKAGES)
def test_the_docstring_of_a_package_names_its_modules(package: str) -> None:
    names = {path.stem for path in (SOURCE / package).glob("*.py")} - {"__init__"}
    words = set(documented(package).replace("`", " ").replace(",", " ").split())
    assert sorted(names - {word.strip(".:;()") for word in words}) == []
