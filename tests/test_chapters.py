"""Every chapter that shows results holds where there are none but smoke runs, as for a new user,
and no chapter or benchmark imports a name that is gone."""

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import pytest
from small_book import ROOT

pytestmark = pytest.mark.long

SHOWING = ("results", "learnings")
CHAPTERS = sorted(path for part in SHOWING for path in (ROOT / "chapters" / part).glob("*.py"))


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory):
    """The book without any table of a scale that counts."""
    root = tmp_path_factory.mktemp("book")
    (root / "results").mkdir()
    for path in ("chapters", "results/smoke", "_quarto.yml"):
        (root / path).symlink_to(ROOT / path)
    return root


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_chapter_needs_no_recorded_evidence(newcomer, monkeypatch, chapter):
    monkeypatch.chdir(newcomer)
    monkeypatch.setitem(mpl.rcParams, "backend", "agg")
    exec(compile(chapter.read_text(), str(chapter), "exec"), {"__name__": "chapter"})


def imported(script: Path) -> Iterator[tuple[str, str]]:
    """The modules of the package that a script imports from, each with a name."""
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("llmlab"):
            yield from ((node.module, alias.name) for alias in node.names)


@pytest.mark.parametrize("folder", ["chapters", "benchmarks"])
def test_every_name_that_a_script_imports_exists(folder):
    for script in (ROOT / folder).rglob("*.py"):
        for module, name in imported(script):
            found = importlib.import_module(module)
            assert hasattr(found, name) or importlib.util.find_spec(f"{module}.{name}"), script
