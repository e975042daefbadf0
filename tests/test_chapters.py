"""Every chapter that shows results holds where there are none but smoke runs, as for a new user."""

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
