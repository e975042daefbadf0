import json
import shutil

import pytest
import yaml

from llmlab.book.check import check_site
from llmlab.book.contents import Edition, read_contents
from llmlab.book.quarto import find_quarto, gather, render_quarto
from llmlab.method.errors import LabError
from llmlab.method.project import Project

EDITION = Edition("1.0", "abc1234")

needs_quarto = pytest.mark.skipif(find_quarto() is None, reason="Quarto is not installed")


@pytest.fixture
def stage(executed_sample, tmp_path):
    gather(executed_sample, read_contents(executed_sample), EDITION, tmp_path / "stage")
    return tmp_path / "stage"


def test_everything_that_quarto_needs_is_gathered(stage):
    config = yaml.safe_load((stage / "_quarto.yml").read_text())
    chapters = ["index.ipynb", "concepts/steps.ipynb", "results/steps.ipynb", "references.ipynb"]
    named = [*chapters, config["bibliography"], "assets/evidence.lua", "assets/evidence.css"]
    assert [name for name in named if not (stage / name).is_file()] == []


def test_the_edition_stands_on_each_page(stage):
    config = yaml.safe_load((stage / "_quarto.yml").read_text())
    assert config["book"]["page-footer"] == "Version 1.0, commit abc1234"
    assert config["project"]["output-dir"] == "_book"


def test_notebooks_carry_their_outputs(stage):
    cells = json.loads((stage / "concepts" / "steps.ipynb").read_text())["cells"]
    assert any("image/png" in out["data"] for cell in cells for out in cell.get("outputs", []))


def test_scripts_are_written_out(stage):
    scripts = (stage / "assets" / "scripts.html").read_text()
    assert scripts.count("<script>") == 3
    assert "src=" not in scripts


def test_a_chapter_that_was_not_executed_is_an_error(sample, tmp_path):
    with pytest.raises(LabError, match="index has not been executed"):
        gather(sample, read_contents(sample), EDITION, tmp_path / "stage")


@needs_quarto
def test_quarto_renders_both_formats_without_a_flaw(executed_sample, tmp_path):
    root = tmp_path / "book"
    shutil.copytree(executed_sample.root, root, ignore=shutil.ignore_patterns("site"))
    project = Project(root)
    contents = read_contents(project)
    render_quarto(find_quarto(), project, contents, EDITION, tmp_path / "site")
    assert check_site(tmp_path / "site", contents) == ()
    page = (tmp_path / "site" / "concepts" / "steps.html").read_text()
    assert "Figure&nbsp;1.1" in page
