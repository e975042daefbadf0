import json
import shutil

import pytest
from filelock import FileLock

from llmlab.book.press import render
from llmlab.book.press.quarto import find_quarto
from llmlab.book.press.render import render_book
from llmlab.method.errors import LabError
from llmlab.method.project import Project


@pytest.fixture
def project(executed_sample, tmp_path):
    """An executed book without a site."""
    root = tmp_path / "book"
    shutil.copytree(executed_sample.root, root, ignore=shutil.ignore_patterns("site"))
    return Project(root)


def test_it_says_what_was_rendered_and_where(project):
    done = render_book(project, "1.0", "preview")
    assert (done.renderer, done.chapters) == ("preview", 4)
    assert done.front_page == project.site / "1.0" / "index.html"
    assert done.front_page.is_file()
    assert done.pdf.read_bytes().startswith(b"%PDF")


def test_a_new_rendering_replaces_the_old_one_and_no_other(project):
    render_book(project, "1.0", "preview")
    render_book(project, "dev", "preview")
    (project.site / "dev" / "old.html").touch()
    render_book(project, "dev", "preview")
    assert not (project.site / "dev" / "old.html").exists()
    assert sorted(path.name for path in project.site.iterdir()) == ["1.0", "dev", "versions.json"]
    assert json.loads((project.site / "versions.json").read_text()) == ["dev", "1.0"]


def test_a_preview_of_a_change_is_no_version(project):
    (project.site / "pr-7").mkdir(parents=True)
    (project.site / "pr-7" / "index.html").touch()
    render_book(project, "dev", "preview")
    assert json.loads((project.site / "versions.json").read_text()) == ["dev"]


def test_a_results_page_whose_evidence_changed_is_marked_and_no_other(project, monkeypatch):
    note = '::: {.callout-note title="Changed since 1.0"}\nH-STEPS is new.\n:::'
    monkeypatch.setattr(render, "CHANGES", "references")  # this book has no chapter of changes
    monkeypatch.setattr(render, "changes_since_former", lambda project: object())
    monkeypatch.setattr(render, "catalog", lambda: {"steps": None})
    monkeypatch.setattr(render, "mark", lambda changes, name: note)
    site = render_book(project, "dev", "preview").front_page.parent
    pages = [path for path in site.rglob("*.html") if "Changed since 1.0" in path.read_text()]
    assert pages == [site / "results" / "steps.html"]


def test_a_failure_leaves_the_site_as_it_was(project):
    render_book(project, "dev", "preview")
    before = (project.site / "dev" / "index.html").read_bytes()
    (project.build / "chapters" / "index.ipynb").unlink()
    with pytest.raises(LabError, match="index has not been executed"):
        render_book(project, "dev", "preview")
    assert (project.site / "dev" / "index.html").read_bytes() == before
    assert sorted(path.name for path in project.site.iterdir()) == ["dev", "versions.json"]


def test_a_typed_result_is_not_rendered(project):
    chapter = project.chapters / "results" / "steps.py"
    chapter.write_text(chapter.read_text() + "\n# %% [markdown]\n# The loss is 0.93.\n")
    with pytest.raises(LabError, match=r"0\.93 is typed"):
        render_book(project, renderer="preview")
    assert not project.site.exists()


def test_a_site_that_cannot_be_written_is_an_error(project):
    project.site.write_text("a file where the folder should be")
    with pytest.raises(LabError, match="cannot write"):
        render_book(project, renderer="preview")


def test_an_unknown_renderer_is_an_error(project):
    with pytest.raises(LabError, match="choose auto, quarto or preview"):
        render_book(project, renderer="word")


@pytest.mark.parametrize("version", ["../1.0", "..", ".", ""])
def test_a_version_is_one_folder(project, version):
    with pytest.raises(LabError, match="does not name a folder"):
        render_book(project, version, "preview")


@pytest.mark.skipif(find_quarto() is not None, reason="Quarto is installed")
def test_asking_for_quarto_where_it_is_not_is_an_error(project):
    with pytest.raises(LabError, match="Quarto is not installed"):
        render_book(project, renderer="quarto")


def test_a_book_that_is_being_rendered_is_left_alone(project):
    lock = FileLock(project.build / "book.lock")
    with lock, pytest.raises(LabError, match="another process is rendering this book: wait"):
        render_book(project, renderer="preview")
    assert not project.site.exists()
