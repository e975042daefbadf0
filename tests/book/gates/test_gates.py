import random
import re
import shutil
from pathlib import Path

import pytest

from llmlab.book.gates import accessibility
from llmlab.book.gates.validity import html_problems, invalid_pages
from llmlab.book.gates.weight import heavy_pages, weight

PAGE = (
    '<!doctype html>\n<html lang="en"><head><title>A page</title>{head}</head>'
    "<body><main><h1>A page</h1>{body}</main></body></html>"
)


def written(folder: Path, body: str = "", head: str = "") -> Path:
    path = folder / "index.html"
    path.write_text(PAGE.format(head=head, body=body))
    return path


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("<p>a<div>b</div></p>", "is not valid HTML in line 2: unexpected-end-tag"),
        ("<b><i>a</b></i>", "is not valid HTML in line 2: adoption-agency-1.3"),
        ('<p id="a"></p><p id="a"></p>', "has the id a more than once"),
        ("<svg><path/></svg><math><mi>x</mi></math><p>fine", None),
    ],
)
def test_html_is_what_a_browser_takes_it_for(body: str, problem: str | None) -> None:
    found = list(html_problems(PAGE.format(head="", body=body)))
    assert found[:1] == ([problem] if problem else [])


def test_an_invalid_page_is_named(tmp_path: Path) -> None:
    written(tmp_path, "</div>")
    assert [problem.split()[0] for problem in invalid_pages(tmp_path)] == ["index.html"]


def test_a_page_weighs_what_is_sent_once_without_data_of_explorers(tmp_path: Path) -> None:
    noise = random.Random(0).randbytes(2000)
    (tmp_path / "a.css").write_text("x" * 100_000)
    (tmp_path / "a.png").write_bytes(noise)
    data = f'<script type="application/json">{noise.hex()}</script>'
    picture = '<img alt="a" src="a.png">'
    page = written(tmp_path, data + 2 * picture, '<link rel="stylesheet" href="a.css">')
    assert 2000 < weight(page) < 2700


def test_the_fonts_that_a_stylesheet_names_count(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text('@font-face { src: url("a.woff2") format("woff2"); }')
    (tmp_path / "a.woff2").write_bytes(random.Random(0).randbytes(3000))
    page = written(tmp_path, "", '<link rel="stylesheet" href="a.css">')
    assert 3000 < weight(page) < 3700


def test_a_heavy_page_is_named(tmp_path: Path) -> None:
    written(tmp_path, random.Random(0).randbytes(600_000).hex())
    (found,) = heavy_pages(tmp_path)
    assert re.fullmatch(r"index\.html weighs 6\d\d KB; the limit is 500 KB", found)


@pytest.mark.skipif(accessibility.why_not() is not None, reason=str(accessibility.why_not()))
def test_axe_finds_what_some_readers_cannot_see(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(accessibility, "LOOKS", ((1280, "light"),))
    pale = '<p style="color:#ccc;background:#fff">pale</p>'
    told = []
    found = accessibility.inaccessible_pages(
        tmp_path, [written(tmp_path, pale)], lambda *step: told.append(step)
    )
    assert told == [(1, 1, "index.html")]
    assert len(found) == 1
    assert "fails color-contrast at 1 place: p" in found[0]


def test_what_is_missing_is_said(monkeypatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert accessibility.why_not().endswith(("is not installed", "Chromium is not installed"))
