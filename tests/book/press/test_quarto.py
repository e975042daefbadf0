import base64
import json
import re
import shutil
from pathlib import Path

import nbformat
import pikepdf
import pytest
import typst
import yaml

from llmlab.book.press.check import check_site
from llmlab.book.press.contents import Edition, read_contents
from llmlab.book.press.quarto import find_quarto, gather, render_quarto
from llmlab.method.errors import LabError
from llmlab.method.project import Project

CONFIGURED = yaml.safe_load((Path(__file__).parents[3] / "_quarto.yml").read_text())["format"]
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
    assert config["book"]["subtitle"].endswith(" · Version 1.0, commit abc1234")
    assert config["project"]["output-dir"] == "_book"


def test_notebooks_carry_their_outputs(stage):
    cells = json.loads((stage / "concepts" / "steps.ipynb").read_text())["cells"]
    assert any("image/svg+xml" in out["data"] for cell in cells for out in cell.get("outputs", []))


def test_text_begins_with_an_empty_line(stage):
    """Otherwise Quarto numbers chapters that are not to be numbered (quarto-cli#8526)."""
    for chapter in ("index", "concepts/steps", "results/steps", "references"):
        cells = nbformat.read(stage / f"{chapter}.ipynb", as_version=4).cells
        first = next(cell.source for cell in cells if cell.cell_type == "markdown")
        assert first.startswith("\n# ")


def test_the_styles_that_quarto_loads_are_gathered_and_come_after_the_theme(stage):
    styles = CONFIGURED["html"]["css"]
    assert styles[0] == "assets/theme.css"
    assert [name for name in styles if not (stage / name).is_file()] == []
    text = "".join((stage / name).read_text() for name in styles)
    assert "#quarto-document-content img { max-width: 100%; height: auto; }" in text
    for font in re.findall(r'url\("(fonts/[^"]+)"\)', text):
        assert (stage / "assets" / font).is_file()


def printed(body: str) -> bytes:
    """A page of what Quarto's typst would set, with the book's own rules before it."""
    rules = [
        part["text"]
        for place in ("include-in-header", "include-before-body")
        for part in CONFIGURED["typst"][place]
    ]
    numbering = (
        "#set heading(numbering: (..n) => "
        'numbering(if n.pos().len() == 1 {"1."} else {"1.1"}, ..n))'
    )
    headings = "= One <sec-one>\n\n== Two <sec-two>"
    source = "\n".join([*rules, numbering, headings, body])
    return typst.compile(source.encode(), format="png")


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("#ref(<sec-one>, supplement: [Chapter])", "#link(<sec-one>)[Chapter~1]"),
        ("#ref(<sec-two>, supplement: [Section])", "#link(<sec-two>)[Section~1.1]"),
    ],
)
def test_a_printed_reference_to_a_chapter_ends_without_a_dot(reference, says):
    assert printed(f"See ({reference}).") == printed(f"See ({says}).")


def test_printed_tables_are_small_and_ragged():
    table = "#table(columns: 2cm)[one two three four five six seven]"
    look = "#set par(justify: true)\n"
    by_hand = "#{set par(justify: false); set text(size: 0.85em); [TABLE]}".replace("TABLE", table)
    without_rule = typst.compile(f"{look}{by_hand}".encode(), format="png")
    (rules,) = (part["text"] for part in CONFIGURED["typst"]["include-in-header"])
    assert typst.compile(f"{rules}\n{look}{table}".encode(), format="png") == without_rule


@pytest.fixture
def copy_of_sample(executed_sample, tmp_path):
    root = tmp_path / "book"
    shutil.copytree(executed_sample.root, root, ignore=shutil.ignore_patterns("site"))
    return Project(root)


def test_drawings_in_the_text_become_files(copy_of_sample, tmp_path):
    contents = read_contents(copy_of_sample)
    chapter = next(chapter for chapter in contents.chapters if chapter.name == "results/steps")
    notebook = nbformat.read(chapter.executed(), as_version=4)
    drawn = f"![A dot.](data:image/svg+xml;base64,{base64.b64encode(b'<svg/>').decode()})"
    shown = nbformat.v4.new_output("display_data", {"text/markdown": drawn})
    next(cell for cell in notebook.cells if cell.cell_type == "code").outputs.append(shown)
    nbformat.write(notebook, chapter.executed())

    gather(copy_of_sample, contents, EDITION, tmp_path)
    text = (tmp_path / "results" / "steps.ipynb").read_text()
    (drawing,) = re.findall(r"!\[A dot\.\]\(\.\./(figures/\w+\.svg)\)", text)
    assert "data:image" not in text
    assert (tmp_path / drawing).read_bytes() == b"<svg/>"


@pytest.fixture
def stand_in(tmp_path):
    """A program in Quarto's place that does what a script says, called as Quarto is."""

    def made(script: str) -> Path:
        program = tmp_path / "quarto"
        program.write_text(f'#!/bin/sh\ncd "$2"\n{script}\n')
        program.chmod(0o755)
        return program

    return made


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("echo one >&2; echo ERROR: no fonts >&2; exit 1", "book: ERROR: no fonts$"),
        ("mkdir _book; echo > _book/index.html", "book: concepts/steps.html is missing; "),
        ("exit 0", "book: index.html is missing; "),
    ],
)
def test_what_quarto_says_or_leaves_out_fails_the_book(
    copy_of_sample, stand_in, tmp_path, script, sentence
):
    contents = read_contents(copy_of_sample)
    stale = copy_of_sample.build / "book" / "_book"
    stale.mkdir(parents=True)
    for chapter in contents.chapters:
        (stale / chapter.page).parent.mkdir(exist_ok=True)
        (stale / chapter.page).touch()
    (stale / contents.pdf).touch()
    with pytest.raises(LabError, match=f"Quarto could not render the {sentence}"):
        render_quarto(stand_in(script), copy_of_sample, contents, EDITION, tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_the_pdf_that_quarto_makes_is_packed(copy_of_sample, stand_in, tmp_path):
    contents = read_contents(copy_of_sample)
    loose = tmp_path / "loose.pdf"
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.pages[0].Contents = pdf.make_stream(b"0.123456789 0 m\n" * 5000)
        pdf.save(loose, compress_streams=False)
    pages = " ".join(f"_book/{chapter.page}" for chapter in contents.chapters)
    script = (
        f"mkdir -p _book/concepts _book/results; touch {pages}; cp {loose} _book/{contents.pdf}"
    )
    render_quarto(stand_in(script), copy_of_sample, contents, EDITION, tmp_path / "site")
    assert (tmp_path / "site" / contents.pdf).stat().st_size < loose.stat().st_size / 20


def test_quarto_is_called_without_what_the_user_has_set_up(
    copy_of_sample, stand_in, tmp_path, monkeypatch
):
    monkeypatch.setenv("QUARTO_PROFILE", "mine")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    script = 'echo "ERROR: profile ${QUARTO_PROFILE-none}, locale $LC_ALL" >&2; exit 1'
    contents = read_contents(copy_of_sample)
    with pytest.raises(LabError, match="profile none, locale C"):
        render_quarto(stand_in(script), copy_of_sample, contents, EDITION, tmp_path / "site")


def test_a_reference_that_quarto_only_warns_of_fails_the_book(copy_of_sample, stand_in, tmp_path):
    contents = read_contents(copy_of_sample)
    pages = " ".join(f"_book/{chapter.page}" for chapter in contents.chapters)
    script = (
        f"mkdir -p _book/concepts _book/results; touch {pages} _book/{contents.pdf}; "
        "echo '<p>See ?sec-nowhere.</p>' > _book/index.html; echo WARNING >&2"
    )
    with pytest.raises(LabError, match=r"index\.html has the unresolved reference \?sec-nowhere$"):
        render_quarto(stand_in(script), copy_of_sample, contents, EDITION, tmp_path / "site")


def test_scripts_are_written_out(stage):
    scripts = (stage / "assets" / "scripts.html").read_text()
    assert scripts.count("<script>") == 3
    assert "src=" not in scripts


def test_a_chapter_that_was_not_executed_is_an_error(sample, tmp_path):
    with pytest.raises(LabError, match="index has not been executed"):
        gather(sample, read_contents(sample), EDITION, tmp_path / "stage")


@needs_quarto
def test_quarto_renders_both_formats_without_a_flaw(copy_of_sample, tmp_path):
    contents = read_contents(copy_of_sample)
    render_quarto(find_quarto(), copy_of_sample, contents, EDITION, tmp_path / "site")
    assert check_site(tmp_path / "site", contents) == ()
    page = (tmp_path / "site" / "concepts" / "steps.html").read_text()
    assert "Figure&nbsp;1.1" in page
