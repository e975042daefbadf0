import shutil

import pytest

from llmlab.book.press.check import check_site
from llmlab.book.press.contents import read_contents
from llmlab.method.errors import LabError


@pytest.fixture
def site(rendered_sample, tmp_path):
    shutil.copytree(rendered_sample, tmp_path / "dev")
    return tmp_path / "dev"


@pytest.fixture
def contents(executed_sample):
    return read_contents(executed_sample)


def test_the_sample_has_no_problem(site, contents):
    assert check_site(site, contents) == ()


@pytest.mark.parametrize(
    ("added", "problem"),
    [
        ('<a href="gone.html">x</a>', "index.html links to gone.html, which does not exist"),
        (
            '<a href="concepts/steps.html#gone">x</a>',
            "index.html links to concepts/steps.html#gone, but that page has no such anchor",
        ),
        ('<a href="#gone">x</a>', "index.html links to #gone, but that page has no such anchor"),
        (
            '<script src="https://example.org/x.js"></script>',
            "index.html loads https://example.org/x.js from outside",
        ),
        (
            '<link rel="stylesheet" href="//example.org/x.css">',
            "index.html loads //example.org/x.css from outside",
        ),
        (
            "<style>@import 'https://example.org/x.css';</style>",
            "index.html loads https://example.org/x.css from outside",
        ),
        (
            '<p style="background: url(https://example.org/x.png)">',
            "index.html loads https://example.org/x.png from outside",
        ),
        ('<img src="gone.png" alt="x">', "index.html loads gone.png, which does not exist"),
        (
            '<img src="assets/favicon.svg">',
            "index.html shows assets/favicon.svg without alternative text",
        ),
        ("<p>?@fig-x</p>", "index.html has the unresolved reference ?@fig-x"),
        ("<p>See @tbl-x.</p>", "index.html has the unresolved reference @tbl-x"),
        (
            '<p><span class="citation" data-cites="nobody2020">(<b>nobody2020?</b>)</span></p>',
            "index.html cites nobody2020, which is not in the list of references",
        ),
    ],
)
def test_each_flaw_is_found(site, contents, added, problem):
    page = site / "index.html"
    page.write_text(page.read_text().replace("</article>", added + "</article>"))
    assert check_site(site, contents) == (problem,)


@pytest.mark.parametrize(
    "added",
    [
        '<a href="https://example.org">x</a>',
        '<a href="../1.0/index.html">another version</a>',
        "<code>@fig-x</code>",
        '<a href="concepts/">x</a>',
    ],
)
def test_what_is_no_flaw_is_let_through(site, contents, added):
    (site / "concepts" / "index.html").write_text("<p>x</p>")
    page = site / "index.html"
    page.write_text(page.read_text().replace("</article>", added + "</article>"))
    assert check_site(site, contents) == ()


def test_missing_chapters_and_pdf_are_found(site, contents):
    (site / contents.pdf).unlink()
    (site / "references.html").unlink()
    problems = check_site(site, contents)
    assert {"references.html is missing", "A-Small-Book.pdf is missing"} <= set(problems)


def test_a_style_sheet_that_loads_from_outside_is_found(site, contents):
    (site / "assets" / "book.css").write_text("@import url(https://example.org/f.css);")
    assert check_site(site, contents) == (
        "assets/book.css loads https://example.org/f.css from outside",
    )


def test_a_folder_without_a_book_is_an_error(tmp_path, contents):
    with pytest.raises(LabError, match="holds no rendered book"):
        check_site(tmp_path, contents)
