"""What a reader finds on the pages and in the PDF of the sample book."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
import typst
from fontTools.ttLib import TTFont
from matplotlib import get_data_path
from nbformat.v4 import new_markdown_cell, new_notebook

from llmlab.book.press.contents import ASSETS, Edition, read_contents
from llmlab.book.press.preview import render_preview
from llmlab.method.errors import LabError
from llmlab.method.project import Project


def test_fonts_of_print_have_every_sign_that_a_chapter_shows_in_code():
    """A sign that none of them has is an empty box in the PDF."""
    mono = Path(get_data_path(), "fonts", "ttf", "DejaVuSansMono.ttf")  # the one that typst has
    fonts = [mono, *(ASSETS / "print-fonts").glob("*.ttf")]
    known = {sign for font in fonts for sign in TTFont(font).getBestCmap()}
    chapters = (Path(__file__).parents[3] / "chapters").rglob("*.py")
    shown = {sign for chapter in chapters for sign in chapter.read_text(encoding="utf-8")}
    assert {sign for sign in shown if ord(sign) not in known} <= {"\n"}


def test_what_the_user_has_set_up_for_pandoc_does_not_reach_the_book(
    executed_sample, tmp_path, monkeypatch
):
    for name in ("LUA_INIT", "LUA_INIT_5_4"):
        monkeypatch.setenv(name, "error('mine')")
    monkeypatch.setenv("GHCRTS", "--mine")
    contents = read_contents(executed_sample)
    render_preview(contents, executed_sample.chapters, Edition("1", "a"), tmp_path)
    assert (tmp_path / "index.html").is_file()


@pytest.fixture(scope="module")
def concept(rendered_sample):
    return (rendered_sample / "concepts" / "steps.html").read_text()


@pytest.fixture(scope="module")
def result(rendered_sample):
    return (rendered_sample / "results" / "steps.html").read_text()


def test_chapters_and_sections_are_numbered(concept, result):
    assert "Chapter 1" in concept
    assert '<span class="number">1.1</span> Too large a step' in concept
    assert "Chapter 2" in result


def test_references_in_a_chapter_are_numbered_links(concept):
    assert 'href="#fig-parabola" class="xref">Figure\u00a01.1</a>' in concept
    assert 'href="#eq-step" class="xref">Equation\u00a01.1</a>' in concept
    assert '<span class="equation-number">(1.1)</span>' in concept


def test_references_between_chapters_name_the_page(result):
    assert 'href="../concepts/steps.html#sec-idea" class="xref">Chapter\u00a01</a>' in result
    assert 'href="../concepts/steps.html#fig-parabola" class="xref">Figure\u00a01.1</a>' in result


def test_a_reference_may_be_the_number_alone(result):
    assert 'href="#tbl-steps" class="xref">2.1</a>' in result


def test_a_link_to_a_chapter_goes_to_its_page(concept):
    assert 'href="../results/steps.html#sec-result">another chapter</a>' in concept


def test_a_figure_has_caption_alternative_text_and_size(concept):
    figure = re.search(r'<figure class="float fig" id="fig-parabola">.*?</figure>', concept, re.S)[
        0
    ]
    assert (
        '<span class="float-number">Figure 1.1</span> A parabola, <span class="unbroken"><math'
        in figure
    )
    assert 'alt="A curve that falls to zero and rises again."' in figure
    assert re.search(r'width="\d+"', figure)
    assert 'loading="lazy"' in figure


def test_a_table_has_its_caption_above(result):
    table = re.search(r'<figure class="float tbl" id="tbl-steps">.*?</figure>', result, re.S)[0]
    assert table.index("Table 2.1</span> Loss at each step size,") < table.index("<table>")


def test_code_is_folded_where_it_says_so(concept, result):
    assert '<details class="code-fold"><summary>The code of this figure</summary>' in concept
    assert "sourceCode" not in result


def test_an_option_of_a_command_is_not_broken_after_its_dashes(result):
    assert '<code>steps a&lt;b <span class="unbroken">--scale</span> smoke</code>' in result


def test_a_callout_has_its_title(concept):
    assert '<div role="note" class="callout note"><p class="callout-title">Remember</p>' in concept


def test_a_footnote_stands_on_its_page(concept, result):
    assert 'id="fn1"' in concept
    assert "The threshold is" in concept
    assert 'id="fn1"' not in result


def test_a_citation_leads_to_the_references(rendered_sample, concept):
    assert 'href="../references.html#ref-kingma2015adam"' in concept
    assert 'id="ref-kingma2015adam"' in (rendered_sample / "references.html").read_text()


def test_a_caption_leads_to_references_and_other_pages(result):
    (caption,) = re.findall(r"<figcaption>.*?Loss at each step size.*?</figcaption>", result, re.S)
    assert 'href="../references.html#ref-kingma2015adam"' in caption
    assert 'href="../concepts/steps.html#fig-parabola"' in caption


def test_a_value_carries_its_provenance(result):
    assert re.search(
        r'<span class="value"[^>]*title="0.93, 95 % interval 0.91 to 0.95, n = 5"[^>]*>0.93</span>',
        result,
    )


def test_a_verdict_says_its_word(result):
    assert '<div class="verdict supported">' in result
    assert '<span class="word">Supported</span>' in result


def test_pages_are_complete(rendered_sample, concept):
    assert (rendered_sample / "index.html").is_file()
    assert concept.count('aria-current="page"') == 1
    assert 'rel="prev" href="../index.html"' in concept
    assert 'rel="next" href="../results/steps.html"' in concept
    assert "Rendered by the preview renderer" in concept
    assert 'href="../A-Small-Book.pdf"' in concept


def test_the_search_knows_every_section(rendered_sample):
    script = (rendered_sample / "search-index.js").read_text()
    index = json.loads(script.removeprefix("window.bookIndex = ").removesuffix(";\n"))
    assert ("concepts/steps.html", "too-large-a-step", "Too large a step") in {
        (entry["url"], entry["id"], entry["title"]) for entry in index
    }
    assert any("0.93" in entry["text"] for entry in index)


def _set_in_type(contents, chapters, site) -> str:
    """The typst text of a book, because a PDF holds glyphs and no words."""
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typst, "compile", lambda source, **_: seen.append(Path(source).read_text()))
        patch.setattr("llmlab.book.press.preview.pack", lambda path: None)
        render_preview(contents, chapters, Edition("dev", "none"), site)
    return seen[0]


def _with_front_page(contents, text, notebook):
    nbformat.write(new_notebook(cells=[new_markdown_cell(text)]), notebook)
    front, *others = contents.chapters
    return replace(contents, chapters=(replace(front, notebook=notebook), *others))


def test_the_pdf_has_the_same_numbers(executed_sample, tmp_path):
    text = _set_in_type(read_contents(executed_sample), executed_sample.chapters, tmp_path)
    assert '#chapter(number: "1", appendix: false)[Step sizes] <sec-idea>' in text
    assert 'number: "Figure 1.1"' in text
    assert "#link(<fig-parabola>)[Figure~1.1]" in text
    assert "#footnote[0.93, 95 % interval" in text
    assert 'alt: "A curve that falls to zero and rises again."' in text


def test_typst_spaces_the_operators_of_a_formula(executed_sample, tmp_path):
    formula = r"# A" "\n\n" r"$$ y \;\approx\; \operatorname{softmax}\!\left( x \right) $$"
    changed = _with_front_page(read_contents(executed_sample), formula, tmp_path / "index.ipynb")
    text = _set_in_type(changed, executed_sample.chapters, tmp_path / "site")
    assert '$ y approx op("softmax") (x) $' in text


def test_no_page_of_print_ends_with_what_announces_the_next(executed_sample, tmp_path):
    command = "This command makes it:\n\n```\nmake\n```"
    table = "| a |\n|--|\n| 1 |\n\n::: {.source}\nHere.\n:::"
    prose = f"# A\n\n{command}\n\n{table}"
    changed = _with_front_page(read_contents(executed_sample), prose, tmp_path / "index.ipynb")
    text = _set_in_type(changed, executed_sample.chapters, tmp_path / "site")
    assert re.search(r"#announcing\(\)\[\s+This command makes it:\s+\]", text)
    assert re.search(r"#kept\(\)\[.*#figure\(.*Here\.", text, re.S)


def test_rendering_again_gives_the_same_bytes(executed_sample, rendered_sample, tmp_path):
    edition = Edition("dev", "unknown")
    render_preview(read_contents(executed_sample), executed_sample.chapters, edition, tmp_path)
    files = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    different = [
        f for f in files if (tmp_path / f).read_bytes() != (rendered_sample / f).read_bytes()
    ]
    assert different == []


def test_what_was_read_before_is_read_again_if_it_is_damaged(
    rendered_sample, executed_sample, tmp_path
):
    root = tmp_path / "book"
    shutil.copytree(executed_sample.root, root, ignore=shutil.ignore_patterns("site"))
    project = Project(root)
    for kept in (project.build / "chapters").rglob("*.blocks"):
        kept.write_bytes(kept.read_bytes()[:-10])
    contents, edition = read_contents(project), Edition("dev", "unknown")
    render_preview(contents, project.chapters, edition, tmp_path)
    page = Path("concepts", "steps.html")
    assert (tmp_path / page).read_bytes() == (rendered_sample / page).read_bytes()


def test_what_is_read_as_one_stays_on_its_line(executed_sample, tmp_path):
    text = (
        "# A\n\nBetween 1e-3 and 90 % (n = 5 seeds) lies $x$, they say. H-A-1 [No]{.badge} "
        "or ≈ 3 ± 1, by 2 points"
    )
    changed = _with_front_page(read_contents(executed_sample), text, tmp_path / "index.ipynb")
    site = tmp_path / "site"
    render_preview(changed, executed_sample.chapters, Edition("dev", "none"), site)
    page = (site / "index.html").read_text()
    assert '<span class="unbroken">1e-3</span>' in page
    assert "90\u00a0%" in page
    assert "2\u00a0points" in page
    assert "n\u00a0=\u00a05\u00a0seeds" in page
    assert "≈\u00a03\u00a0±\u00a01" in page
    assert 'H-A-1</span>\u00a0<span class="badge">' in page
    assert re.search(r'<span class="unbroken"><math.*?</math>,</span>', page, re.S)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# A\n\nSee @fig-nothing.", r"chapters/index\.py: @fig-nothing refers to nothing"),
        ("# A\n\nSee @nobody2020.", r"@nobody2020 is not in the bibliography"),
        ("# A\n\n[x](other.ipynb)", r"links to other\.ipynb, which is not a chapter"),
        ("# A\n\n[x](#nowhere)", r"links to #nowhere, which does not exist"),
        ("# A {#sec-idea}", r"the label sec-idea is also in chapters/index\.py"),
        ("No title.", r"chapters/index\.py: has no title"),
        ("# A\n\n# B", r"has a second title, B"),
        ("# A\n\n![x](missing.png)", r"shows missing\.png, which does not exist"),
        ("# A\n\n![x](https://example.org/x.png)", r"shows an image from outside"),
    ],
)
def test_what_leads_nowhere_is_an_error(executed_sample, tmp_path, text, message):
    contents = read_contents(executed_sample)
    notebook = tmp_path / "index.ipynb"
    nbformat.write(new_notebook(cells=[new_markdown_cell(text)]), notebook)
    index = replace(contents.chapters[0], notebook=notebook)
    broken = replace(contents, chapters=(index, *contents.chapters[1:]))
    with pytest.raises(LabError, match=message):
        render_preview(broken, executed_sample.chapters, Edition("dev", "none"), tmp_path / "out")
