"""Views become widgets that need nothing else, and still pictures that show the same."""

import base64
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from urllib.parse import unquote

import numpy as np
import pytest
from matplotlib.figure import Figure

from llmlab.book import show
from llmlab.book.press.check import check_site
from llmlab.book.press.contents import read_contents
from llmlab.book.press.execute import execute_chapter
from llmlab.book.press.render import render_book
from llmlab.book.views import read_view, widgets
from llmlab.book.views.kinds import kinds
from llmlab.method.checksums import file_sha256
from llmlab.method.errors import LabError
from llmlab.method.evidence.lookup import best_evidence
from llmlab.method.evidence.manifest import read_manifest, write_manifest
from llmlab.method.evidence.views import VIEWS, write_views
from llmlab.method.project import Project

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


def lens(tokens=HOSTILE, n_layers=2):
    def layer(depth):
        top = [[[tokens[(at + 1) % len(tokens)], 0.6], ["x", 0.2], ["y", depth / 10]]
               for at in range(len(tokens))]  # fmt: skip
        return {"name": f"block {depth}", "top": top, "loss": [2.0 - depth] * len(tokens)}

    texts = [{"tokens": list(tokens), "layers": [layer(n) for n in range(n_layers + 1)]}]
    texts[0]["layers"][-1]["loss"][-1] = None
    return {"kind": "logit_lens", "texts": texts}


def activations_at(step):
    return [
        {"name": f"block {n}", "mean": -0.01 * n, "std": n + step / 100, "mlp_kurtosis": 3.0 * 9**n}
        for n in (1, 2, 3)
    ]


def checkpoint(step):
    return {
        "step": step,
        "train_loss": 4 - step / 100,
        "validation_loss": None if step else 4.5,
        "sample": f"at {step}: </script> 🦁\n\n    it says $x$",
        "attention": attention_of("abcd", checkpoint=step),
    }


KINDS = {
    "attention": attention(),
    "logit_lens": lens(),
    "activations": {
        "kind": "activations",
        "checkpoints": [{"step": step, "layers": activations_at(step)} for step in (0, 100, 200)],
    },
    "checkpoints": {
        "kind": "checkpoints",
        "steps": [checkpoint(step) for step in (0, 100, 200)],
        "curve": {
            "train": [[step, 4 - step / 100] for step in range(0, 201, 10)],
            "validation": [[0, 4.5], [200, 2.5]],
        },
    },
    "samples": {
        "kind": "samples",
        "samples": [
            {"prompt": "a <b", "text": f"of {model} at {step}", "model": model, "step": step}
            for model in ("small", "large")
            for step in (0, 100, 200)
        ],
    },
    "episodes": {
        "kind": "episodes",
        "episodes": [
            {
                "koan": f"names {n}",
                "family": "names",
                "steps": [
                    {"code": "a <b\nc\n", "outcome": "test", "said": "NameError: c"},
                    {"code": "a <b\nd\n", "outcome": "green", "answer": "2|d"},
                ],
            }
            for n in range(2)
        ],
    },
    "scaling_law": {
        "kind": "scaling_law",
        "runs": [(10.0**n, 1 + 2 * 10 ** (-0.4 * n)) for n in range(6)],
    },
    "step_time": {
        "kind": "step_time",
        "models": [{"name": "small", "layers": 2}],
        "accelerators": [{"name": "A", "memory": 8e10}],
        "coefficients": {"memory": 0.9},
        "plan": {"model": "small", "gpu": "A", "gpus": 8},
        "parts": [{"name": "matmul", "label": "matrix <products>", "size": 1.5}],
        "memory": [{"name": "workspace", "label": "workspace", "size": 3e9}],
    },
}


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


def test_each_kind_is_one_module_and_one_script():
    scripts = {path.stem for path in (widgets.ASSETS / "kinds").glob("*.js")}
    assert set(kinds()) == scripts == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_of_its_own_needs_nothing_else(kind):
    page = widgets.standalone_page("A <look>", {"one & only": KINDS[kind]})
    tags = parse(page)
    assert tags.open == []
    assert tags.loads == []
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page)
    assert "A &lt;look&gt;" in page
    assert tags.seen.count("script") == 2
    assert len(page) < 1_000_000


def test_hostile_tokens_come_back_as_they_were():
    widget = widgets.widget("a", attention(), "x")
    assert "\n" not in widget
    assert widget.count("</script>") == 1
    assert data_of(widget)["texts"][0]["tokens"] == HOSTILE


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_a_still_picture(kind, recwarn):
    figure = read_view(KINDS[kind], "x").draw("footer")
    assert isinstance(figure, Figure)
    figure.canvas.draw()
    assert [str(warning.message) for warning in recwarn] == []


def test_the_law_of_a_view_is_that_of_its_runs():
    floor, factor, exponent = read_view(KINDS["scaling_law"], "x").law()
    assert (floor, factor, exponent) == pytest.approx((1, 2, 0.4), abs=1e-6)


def test_activations_at_one_step_need_no_list_of_checkpoints():
    raw = {"kind": "activations", "layers": activations_at(100), "checkpoint": 100}
    view = read_view(raw, "x")
    assert [step.step for step in view.checkpoints] == [100]
    assert view.checkpoints[0].statistics == ["mean", "std", "mlp_kurtosis"]


@pytest.mark.parametrize(
    "raw",
    [
        attention(["a"]),
        lens(["a", "b"]),
        {"kind": "activations", "layers": activations_at(0)[:1]},
        {"kind": "checkpoints", "steps": [{"step": 0}], "curve": {}},
        {"kind": "samples", "samples": [{"text": ""}]},
    ],
    ids=lambda raw: raw["kind"],
)
def test_the_smallest_views_are_drawn_too(raw, recwarn):
    read_view(raw, "x").draw("footer").canvas.draw()
    assert [str(warning.message) for warning in recwarn] == []


def test_the_attention_of_gpt2_fits_a_page():
    raw = attention([f" token{n}" for n in range(40)], n_layers=12, n_heads=12)
    assert len(widgets.standalone_page("GPT-2", {"attention": raw})) < 1_000_000


def test_a_view_too_large_for_a_page_is_an_error():
    raw = attention(["a"], n_layers=1, n_heads=1)
    raw["texts"] *= 9000
    with pytest.raises(LabError, match=r"x takes \d\.\d MB, more than the limit.*fewer texts"):
        widgets.widget("a", raw, "x")


def without(raw, key):
    return {name: value for name, value in raw.items() if name != key}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({**KINDS["attention"], "kind": "atention"}, r"kind 'atention'.*did you mean 'attention'"),
        (without(KINDS["attention"], "kind"), r"of the kind None"),
        (without(KINDS["attention"], "texts"), r"kind attention: 'texts' is missing"),
        (
            {**KINDS["attention"], "n_heads": 3},
            r"not all texts and scores have 2 layers of 3 heads",
        ),
        ({**KINDS["attention"], "texts": [{"tokens": ["a"], "weights": [[[[300]]]]}]}, r"255"),
        (
            {
                "kind": "logit_lens",
                "texts": [{"tokens": ["a"], "layers": [{"top": [], "loss": []}]}],
            },
            r"guesses for each token",
        ),
        (
            {
                "kind": "activations",
                "layers": [{"name": "a", "std": 1.0}, {"name": "b", "max": 1.0}],
            },
            r"same statistics",
        ),
        ({"kind": "activations"}, r"'checkpoints\.0\.layers' is missing"),
        ({"kind": "checkpoints", "steps": [{}], "curve": {}}, r"'steps\.0\.step' is missing"),
        ({"kind": "samples", "samples": [{"prompt": "a"}]}, r"no text"),
        ({"kind": "scaling_law", "runs": [[1, 1], [2, 1], [2, 1], [3, 1]]}, r"do not rise"),
        ({**KINDS["step_time"], "accelerators": [{"name": "B"}]}, r"plan's gpu is not among"),
        ({**KINDS["step_time"], "accelerators": [{"name": "A"}]}, r"has no memory"),
        ({**KINDS["attention"], "texts": [{"tokens": ["a"], "weights": [[[[1, 2]]]]}]}, r"one row"),
    ],
)
def test_a_broken_view_is_one_sentence(raw, message):
    with pytest.raises(LabError, match=message) as error:
        read_view(raw, "the view 'heads' of pretraining")
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
def viewed_book(recorded_book):
    add_views(recorded_book, {"heads": attention()})
    return recorded_book


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
        ("heads", DOSE, 17, r"no run with seed 17; use one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"),
        ("heads", {"dose": 0.1}, 0, r"rule of dose is not fixed"),
        ("heads", {"doze": 0.1}, 0, r"no axis 'doze' \(did you mean 'dose'\?\)"),
    ],
)
def test_what_is_not_there_is_one_sentence(viewed_book, view, run, seed, message):
    with pytest.raises(LabError, match=message):
        show.explorer("dose", view, run=run, seed=seed)


def test_a_run_without_views_says_so(recorded_book):
    with pytest.raises(LabError, match="has no view 'heads'; known: none"):
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
from llmlab.book.views import read_view, widgets

raw = json.loads(Path("view.json").read_text())
display(read_view(raw, "x").draw("footer"))
display(Markdown(widgets.raw_html(widgets.widget("heads", raw, "x"))))
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


DRIVER = """
const out = { problems: window.problems, start: {} };
const hosts = Object.fromEntries(
  [...document.querySelectorAll(".explorer")].map((host) => [host.ariaLabel, host]));
const says = (kind) => hosts[kind].querySelector(".ex-status").textContent;
const all = (kind, what) => [...hosts[kind].querySelectorAll(what)];
const press = (key) => document.activeElement.dispatchEvent(
  new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
const slide = (kind, value) => {
  const [input] = all(kind, "input[type=range]");
  input.value = value;
  input.dispatchEvent(new Event("input", { bubbles: true }));
};
for (const kind of Object.keys(hosts)) out.start[kind] = says(kind);

all("attention", ".ex-line button")[2].focus();
press("ArrowRight");
out.focused = document.activeElement.textContent;
out.arrow = says("attention");
all("attention", ".ex-heads button")[1].click();
out.head = says("attention");
out.selects = all("attention", "select").map((select) => select.selectedIndex);
const layer = all("attention", "select")[0];
layer.selectedIndex = 1;
layer.dispatchEvent(new Event("change"));
out.layer = says("attention");
out.pressed = all("attention", ".ex-heads [aria-pressed=true]").map((head) => head.ariaLabel);
out.stops = all("attention", ".ex-line [tabindex='0']").length;

all("logit_lens", "td button")[1].click();
all("logit_lens", "td button")[1].focus();
press("ArrowDown");
out.lens = says("logit_lens");
out.guesses = all("logit_lens", ".ex-guesses li").map((guess) => guess.innerText);

slide("activations", 0);
out.activations = says("activations");
slide("checkpoints", 1);
out.checkpoint = [says("checkpoints"), all("checkpoints", ".ex-text")[0].textContent];
slide("episodes", 1);
out.episode = [says("episodes"), ...all("episodes", ".ex-text").map((box) => box.textContent)];
out.changed = all("episodes", ".ex-text b").map((part) => part.textContent);
slide("samples", 1);
out.sample = all("samples", ".ex-text")[0].textContent;

const light = (colour) => colour.match(/[0-9.]+/g).slice(0, 3)
  .map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4))
  .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0);
out.contrast = Math.min(...[...document.querySelectorAll(".ex-line button, .ex-scroll td button")]
  .filter((token) => token.style.color)
  .map((token) => [light(token.style.color), light(token.style.backgroundColor)])
  .map((pair) => (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05)));
out.nameless = [...document.querySelectorAll(".explorer :is(button, select, input)")]
  .filter((one) => !(one.ariaLabel || one.closest("label") || one.innerText.trim()))
  .map((one) => one.outerHTML);
out.width = document.documentElement.scrollWidth - document.documentElement.clientWidth;
out.wide = Object.keys(hosts).filter((kind) => hosts[kind].scrollWidth > hosts[kind].clientWidth);

all("checkpoints", ".ex-play")[0].click();
setTimeout(() => {
  out.played = [says("checkpoints"), all("checkpoints", ".ex-play")[0].textContent];
  parent.postMessage(JSON.stringify(out), "*");
}, 3000);
"""
PHONE = """<!doctype html><iframe src="page.html" width="390" height="900"></iframe>
<script>addEventListener("message", (event) => {
  document.body.textContent = `RESULT${btoa(encodeURIComponent(event.data))}END`;
});</script>"""
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What happens on a page with all kinds on a phone, when a reader clicks and types."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("no browser of the Chromium family is installed")
    folder = tmp_path_factory.mktemp("browser")
    page = widgets.standalone_page("All", KINDS)
    listen = "<script>window.problems = []; onerror = (text) => { problems.push(text); };</script>"
    page = page.replace("<body>", f"<body>{listen}").replace(
        "</body>", f"<script>{DRIVER}</script></body>"
    )
    (folder / "page.html").write_text(page)
    (folder / "phone.html").write_text(PHONE)
    options = [
        "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update",
        f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=20000", "--dump-dom",
    ]  # fmt: skip
    command = [browser, *options, (folder / "phone.html").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found = re.search("RESULT(.*)END", done.stdout)
    assert found, done.stdout[-2000:]
    return json.loads(unquote(base64.b64decode(found[1]).decode()))


def test_every_kind_says_what_it_shows(seen):
    assert seen["problems"] == []
    start = seen["start"]
    assert start["attention"].startswith("Layer 2, head 1 (induction score 0.90): token 8, “∅”")
    assert 'After “</script>” (token 1), read at block 2: “"quoted"” (60 %)' in start["logit_lens"]
    assert start["activations"].startswith("Step 200, largest: mean in block 1 (−0.01)")
    assert start["checkpoints"] == "Step 200: training loss 2 nats."
    assert start["samples"] == "At model large, step 200: one sample."
    assert start["episodes"] == "names 0, the start: test."


def test_an_episode_is_replayed_step_by_step(seen):
    told, program, answer = seen["episode"]
    assert told == "names 0, answer 1 of 1: green."
    assert program == " 1 a <b\n 2 d\n"
    assert answer == "Answer\n2|dJudge\ngreen"
    assert seen["changed"][0] == " 2 d\n"


def test_arrow_keys_go_from_token_to_token(seen):
    assert seen["focused"] == "🦁"
    assert "token 4, “🦁”, attends most to" in seen["arrow"]
    assert seen["stops"] == 1


def test_a_head_is_chosen_by_its_map_or_by_its_number(seen):
    assert seen["head"].startswith("Layer 1, head 2 (induction score 0.20)")
    assert seen["selects"][:2] == [0, 1]
    assert seen["layer"].startswith("Layer 2, head 2 (induction score 0.30)")
    assert seen["pressed"] == ["layer 2, head 2, induction score 0.30"]


def test_a_cell_of_the_lens_shows_its_three_guesses(seen):
    assert 'After “"quoted"” (token 2), read at block 1' in seen["lens"]
    assert "The text continues with “<b>&amp;”, which costs 1 nats." in seen["lens"]
    assert [guess.split("\n")[-1] for guess in seen["guesses"]] == ["60 %", "20 %", "10 %"]


def test_sliders_go_through_steps(seen):
    assert seen["activations"].startswith("Step 0,")
    assert seen["checkpoint"][0] == "Step 100: training loss 3 nats."
    assert seen["checkpoint"][1].startswith("at 100: </script> 🦁\n")
    assert seen["sample"] == "a <bof large at 100"


def test_playing_ends_at_the_last_step(seen):
    assert seen["played"] == ["Step 200: training loss 2 nats.", "Play"]


def test_a_phone_shows_it_without_overflow_readable_and_named(seen):
    assert seen["width"] == 0
    assert seen["wide"] == []
    assert seen["contrast"] >= 4.5
    assert seen["nameless"] == []
