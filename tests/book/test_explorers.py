"""Views become widgets that need nothing else, and still pictures that show the same."""

import json
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.figure import Figure

from llmlab.book import explorers, show, stills, views
from llmlab.book.check import check_site
from llmlab.book.contents import read_contents
from llmlab.book.execute import execute_chapter
from llmlab.book.render import render_book
from llmlab.method.errors import LabError
from llmlab.method.evidence import best_evidence
from llmlab.method.manifest import file_sha256, read_manifest, write_manifest
from llmlab.method.project import Project
from llmlab.method.views import VIEWS, write_views

HOSTILE = [
    "</script>",
    '"quoted"',
    "<b>&amp;",
    "🦁",
    " $x_1$",
    "\n",
    "data:image/png;base64,AAAA",
    "",
]
DOSE = {"dose": 0.1, "rule": "a"}


def attention_of(tokens, n_layers=2, n_heads=2, checkpoint=100):
    rng = np.random.default_rng(0)

    def head():
        rows = [rng.dirichlet(np.ones(n + 1)) for n in range(len(tokens))]
        return [np.round(255 * row).astype(int).tolist() for row in rows]

    weights = [[head() for _ in range(n_heads)] for _ in range(n_layers)]
    return {"tokens": list(tokens), "weights": weights, "checkpoint": checkpoint}


def attention(tokens=HOSTILE, **shape):
    text = attention_of(tokens, **shape)
    return {
        "kind": "attention",
        "texts": [text, {**text, "checkpoint": 200}],
        "n_layers": len(text["weights"]),
        "n_heads": len(text["weights"][0]),
        "scores": {"induction": [[0.1, 0.2], [0.9, 0.3]]} if not shape else {},
    }


KINDS = {"attention": attention()}


class Tags(HTMLParser):
    """Counts tags, and keeps those that are open."""

    VOID = frozenset({"meta", "link", "br", "img", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.loads += [value for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:  # "<img />" ends itself
            assert self.open.pop() == tag


def parse(text):
    tags = Tags()
    tags.feed(text)
    tags.close()
    return tags


def data_of(widget):
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', widget)[1])


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_of_its_own_needs_nothing_else(kind):
    page = explorers.standalone_page("A <look>", {"one & only": KINDS[kind]})
    tags = parse(page)
    assert tags.open == []
    assert tags.loads == []
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page)
    assert "A &lt;look&gt;" in page
    assert tags.seen.count("script") == 2
    assert len(page) < 1_000_000


def test_hostile_tokens_come_back_as_they_were():
    widget = explorers.widget("a", attention(), "x")
    assert "\n" not in widget
    assert widget.count("</script>") == 1
    assert data_of(widget)["texts"][0]["tokens"] == HOSTILE


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_a_still_picture(kind, recwarn):
    figure = stills.draw(views.read_view(KINDS[kind], "x"), "footer")
    assert isinstance(figure, Figure)
    figure.canvas.draw()
    assert [str(warning.message) for warning in recwarn] == []


def test_the_attention_of_gpt2_fits_a_page():
    raw = attention([f" token{n}" for n in range(40)], n_layers=12, n_heads=12)
    assert len(explorers.standalone_page("GPT-2", {"attention": raw})) < 1_000_000


def test_a_view_too_large_for_a_page_is_an_error():
    raw = {**attention(["a"] * 8, n_layers=1, n_heads=1)}
    raw["texts"] = raw["texts"] * 9000
    with pytest.raises(LabError, match=r"x takes \d\.\d MB of a page.*fewer texts"):
        explorers.widget("a", raw, "x")


def without(raw, key):
    return {name: value for name, value in raw.items() if name != key}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({**KINDS["attention"], "kind": "atention"}, r"kind 'atention'.*did you mean 'attention'"),
        (without(KINDS["attention"], "kind"), r"of the kind None"),
        (without(KINDS["attention"], "texts"), r"kind attention: 'texts' is missing"),
        ({**KINDS["attention"], "n_heads": 3}, r"not all has 2 layers of 3 heads"),
        ({**KINDS["attention"], "texts": [{"tokens": ["a"], "weights": [[[[300]]]]}]}, r"255"),
        ({**KINDS["attention"], "texts": [{"tokens": ["a"], "weights": [[[[1, 2]]]]}]}, r"one row"),
    ],
)
def test_a_broken_view_is_one_sentence(raw, message):
    with pytest.raises(LabError, match=message) as error:
        views.read_view(raw, "the view 'heads' of pretraining")
    assert str(error.value).startswith("the view 'heads' of pretraining")


def add_views(project, found):
    """Views of each run beside the recorded tables of the experiment `dose`."""
    folder = project.recorded("laptop", "dose")
    runs = best_evidence(project, "dose").runs
    write_views(folder, dict.fromkeys(runs["run_id"], found))
    manifest = read_manifest(folder)
    manifest.sha256[VIEWS] = file_sha256(folder / VIEWS)
    write_manifest(folder, manifest)


@pytest.fixture
def viewed_book(recorded_book, monkeypatch):
    add_views(recorded_book, {"heads": attention()})
    show._evidence.cache_clear()
    yield recorded_book
    show._evidence.cache_clear()


def test_a_chapter_shows_the_picture_then_the_widget_and_where_it_stands(viewed_book, monkeypatch):
    outputs: list = []
    monkeypatch.setattr(show, "display", outputs.append)
    show.explorer("dose", "heads", run=DOSE, seed=1)
    figure, below = outputs
    assert isinstance(figure, Figure)
    assert below.data.startswith('```{=html}\n<div class="explorer" ')
    assert "`heads` of `dose=0.1/rule=a/seed=1` in `views.json`" in below.data
    assert "commit 0123456" in below.data


@pytest.mark.parametrize(
    ("view", "run", "seed", "message"),
    [
        ("head", DOSE, 0, r"rule=a/seed=0 of dose .* no view 'head' \(did you mean 'heads'\?\)"),
        ("heads", DOSE, 7, r"no run with seed 7; its seeds are 0, 1, 2, 3, 4"),
        ("heads", {"dose": 0.1}, 0, r"rule of dose is left open"),
        ("heads", {"doze": 0.1}, 0, r"no axis 'doze' \(did you mean 'dose'\?\)"),
    ],
)
def test_what_is_not_there_is_one_sentence(viewed_book, view, run, seed, message):
    with pytest.raises(LabError, match=message):
        show.explorer("dose", view, run=run, seed=seed)


def test_a_run_without_views_says_so(recorded_book):
    show._evidence.cache_clear()
    with pytest.raises(LabError, match="has no view 'heads'; it has none"):
        show.explorer("dose", "heads", run=DOSE)


CHAPTER = """# %% [markdown]
# # Looking {#sec-idea}
#
# See @fig-heads.

# %%
# | label: fig-heads
# | fig-cap: "Where heads look."
# | fig-alt: "A triangle of squares."
import json
from pathlib import Path

from IPython.display import Markdown, display
from llmlab.book import explorers, stills, views

raw = json.loads(Path("view.json").read_text())
display(stills.draw(views.read_view(raw, "x"), "footer"))
display(Markdown(explorers.raw_html(explorers.widget("heads", raw, "x"))))
"""


@pytest.fixture(scope="module")
def site(executed_sample, tmp_path_factory):
    """The site of the sample book, its first concept replaced by a page with a widget."""
    root = tmp_path_factory.mktemp("viewed") / "book"
    shutil.copytree(executed_sample.root, root, ignore=shutil.ignore_patterns("site"))
    project = Project(root)
    (root / "view.json").write_text(json.dumps(attention()))
    (root / "chapters" / "index.py").write_text(CHAPTER.replace("sec-idea", "sec-looking"))
    chapter = read_contents(project).chapters[0]
    execute_chapter(chapter.source, chapter.notebook, root)
    return render_book(project, renderer="preview").front_page.parent


def test_the_book_shows_the_picture_and_brings_the_widget_along(site):
    page = (site / "index.html").read_text()
    figure = re.search(r'<figure class="float fig" id="fig-heads">.*?</figure>', page, re.S)[0]
    assert 'alt="A triangle of squares."' in figure
    assert page.index("</figure>") < page.index('<div class="explorer"')
    assert data_of(page)["texts"][0]["tokens"] == HOSTILE
    assert 'src="assets/explorer.js"' in page
    assert "explorer.js" not in (site / "references.html").read_text()
    assert parse(page).open == []


def test_the_check_of_the_book_finds_nothing_wrong_with_it(site, executed_sample):
    assert check_site(site, read_contents(executed_sample)) == ()
