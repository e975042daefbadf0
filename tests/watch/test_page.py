"""The page in a real Chromium, beside a trainer that goes on."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest

from llmlab.book.run_chart import smoothed
from llmlab.runs.control import Helm, listen
from llmlab.runs.folder import RunFolder
from llmlab.watch import command
from llmlab.watch.access import AccessRules
from llmlab.watch.catalog import Catalog
from llmlab.watch.server import Watch

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

Page = "playwright.sync_api.Page"


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def trainer(tmp_path: Path) -> Iterator[RunFolder]:
    """A trainer that takes a step of a thousand every 20 ms, and follows what it is asked for."""
    folder, is_over = RunFolder(tmp_path / "runs" / "micro"), threading.Event()
    folder.log.start({"train.steps": 1000})
    thread = threading.Thread(target=train, args=(folder, is_over))
    thread.start()
    yield folder
    is_over.set()
    thread.join()


def train(folder: RunFolder, is_over: threading.Event) -> None:
    listen(folder.log)
    helm, rate = Helm(folder), 0.01
    for step in range(1000):
        fields = {"step": step, "tokens": 8, "loss": 3 / (1 + step / 9), "seconds": 0.02}
        folder.log.append("point", {**fields, "gradient_norm": 1.0, "learning_rate": rate})
        for request in helm.requests(is_over.is_set):
            rate = request.rate or rate
            folder.log.append("steered", asdict(helm.followed(request, step + 1)))
        if helm.is_stopped or is_over.wait(0.02):
            folder.log.append("saved", {"step": step + 1, "folder": "<b>checkpoints</b>/last"})
            folder.log.append("interrupted", {"step": step + 1})
            return


@contextmanager
def serving(
    folder: Path, rules: AccessRules | None = None, *, read_only: bool = False
) -> Iterator[AccessRules]:
    """A server of the runs below a folder, ended as by SIGTERM."""
    with command.listen(rules.port if rules else 0) as listening:
        port = listening.getsockname()[1]
        rules = rules or AccessRules(port, b"k" * 32, "the-token")
        server = command.make_server(Watch(Catalog((folder,), folder), read_only), rules)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield rules
        finally:
            server.should_exit = True
            thread.join(5)
            assert not thread.is_alive()


@pytest.fixture
def opened(browser: object) -> Iterator[Callable[..., "Page"]]:
    """Opens the page; at the end nothing may have gone wrong in it."""
    contexts, wrong = [], []

    def make(rules: AccessRules, width: int = 1280) -> "Page":
        contexts.append(browser.new_context(viewport={"width": width, "height": 800}))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: "Content Security" in said.text and wrong.append(said.text))
        page.goto(f"http://127.0.0.1:{rules.port}/?token={rules.token}")
        return page

    yield make
    for context in contexts:
        context.close()
    assert wrong == []


def points(page: "Page") -> int:
    return int(page.locator("body").get_attribute("data-points") or 0)


def wait_for(condition: Callable[[], bool]) -> None:
    # not by wait_for_function: a page with this policy evaluates no text
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_the_chart_grows_and_pause_really_pauses(trainer: RunFolder, opened) -> None:
    with serving(trainer.path.parent) as rules:
        page = opened(rules)
        assert "token" not in page.url
        wait_for(lambda: points(page) > 5)
        assert page.locator(".charts canvas").first.is_visible()
        # the still of a page of the book is smoothed as this one is
        values = [3.0, 2.0, None, 1.5, 4.0]
        asked = "(values) => import('/assets/run.js').then(({ smooth }) => smooth(values, 0.9))"
        assert page.evaluate(asked, values) == pytest.approx(smoothed(values, 0.9))
        assert page.locator(".state").inner_text() == "running"
        page.get_by_role("button", name="Pause").click()
        page.get_by_text("pause: done after step").wait_for()
        assert page.locator(".state").inner_text() == "paused"
        size = trainer.log.path.stat().st_size
        time.sleep(0.2)
        assert trainer.log.path.stat().st_size == size
        page.get_by_role("button", name="Resume").press("Enter")  # the keyboard does it, too
        wait_for(lambda: trainer.log.path.stat().st_size > size)


def test_two_browsers_agree_and_a_stop_saves(trainer: RunFolder, opened) -> None:
    with serving(trainer.path.parent) as rules:
        one, two = opened(rules), opened(rules, width=390)
        wait_for(lambda: points(one) > 5)
        one.get_by_label("Peak learning rate").fill("3e-4")
        one.get_by_label("Peak learning rate").press("Enter")
        one.get_by_text("rate: done after step").wait_for()
        one.get_by_role("button", name="Stop and save").click()
        for page in (one, two):
            page.get_by_text("interrupted", exact=True).first.wait_for()
            wait_for(lambda page=page: "steered: rate 0.0003" in page.locator(".said").inner_text())
            assert page.locator(".steered").first.is_visible()
            assert page.get_by_text("saved last").is_visible()  # as text, whatever it holds
        wait_for(lambda: points(one) == points(two))
        wide = two.evaluate("document.documentElement.scrollWidth")
        assert wide == 390


def test_a_server_that_was_killed_is_found_again(trainer: RunFolder, opened) -> None:
    with serving(trainer.path.parent) as rules:
        page = opened(rules)
        wait_for(lambda: points(page) > 5)
    page.get_by_text("connection lost").wait_for()
    before = points(page)
    with serving(trainer.path.parent, AccessRules(rules.port, rules.key, "another token")):
        wait_for(lambda: points(page) > before + 5)
        page.get_by_text("live", exact=True).wait_for()
        shown = "[document.body.dataset.points, document.querySelector('.tiles dd').textContent]"
        n_points, step = page.evaluate(shown)
        assert step.split()[0] == n_points  # none twice, none missing


def test_a_request_that_nobody_follows_is_said_to_have_no_answer(tmp_path: Path, opened) -> None:
    silent = RunFolder(tmp_path / "runs" / "silent")
    silent.log.start({"train.steps": 1000})
    listen(silent.log)
    with serving(tmp_path / "runs") as rules:
        page = opened(rules)
        page.get_by_role("button", name="Pause").wait_for()
        page.clock.install()
        with page.expect_response("**/api/control"):
            page.get_by_role("button", name="Pause").click()
        assert page.locator(".controls output").inner_text() == "pause: asked"
        page.clock.fast_forward(10_000)
        page.get_by_text("pause: no answer yet").wait_for()


def test_a_page_that_may_only_look_has_no_controls(trainer: RunFolder, opened) -> None:
    with serving(trainer.path.parent, read_only=True) as rules:
        page = opened(rules)
        wait_for(lambda: points(page) > 5)
        for name in ("Pause", "Stop and save", "Start a run"):
            assert not page.get_by_role("button", name=name).is_visible()


HOSTILE = "<img src=x onerror=\"document.title='owned'\">"


def test_runs_are_overlaid_with_their_speed_alarms_and_samples(tmp_path: Path, opened) -> None:
    for name in ("first", "second"):
        log = RunFolder(tmp_path / "runs" / name).log
        log.start({"train.steps": 10})
        log.append("machine", {"flops_per_token": 1e9, "peak_flops": 1e11})
        for step in range(4):
            seen = {"step": step, "tokens": 50, "seconds": 2.0, "loss": 3.0, "memory": 3e9}
            log.append("point", seen)
        log.append("validation", {"step": 4, "loss": 2.5})
        log.append("alarm", {"step": 3, "kind": "spike", "message": HOSTILE})
        log.append("sample", {"step": 4, "sample": HOSTILE})
    with serving(tmp_path / "runs") as rules:
        page = opened(rules)
        for name in ("first", "second"):
            page.get_by_role("checkbox", name=name).check()
        page.get_by_text("and 1 more").wait_for()
        shown = page.locator(".charts .u-label").all_text_contents()
        for name in ("first", "second"):
            assert {name, f"{name}, smoothed", f"{name}, validation"} <= set(shown)
        tiles = dict(
            zip(
                page.locator(".tiles dt").all_inner_texts(),
                page.locator(".tiles dd").all_inner_texts(),
                strict=True,
            )
        )
        assert tiles["Time left"] == "0:12"  # six steps of two seconds
        assert (tiles["MFU"], tiles["Memory"]) == ("25 %", "3GB")
        assert page.locator(".said .alarm").inner_text().endswith(HOSTILE)
        assert page.locator(".samples pre").inner_text() == HOSTILE
        for axis in ("tokens", "seconds"):
            page.get_by_label("Over").select_option(axis)
            assert page.locator(".charts canvas").first.is_visible()
        assert "owned" not in page.title()


NOSY = """<p>the model</p><p id="reached">nothing</p><script>
const found = (text) => { document.getElementById("reached").textContent = text; };
try { found(parent.document.title); } catch { /* as it should be */ }
fetch("/api/runs").then((answer) => answer.text()).then(found).catch(() => {});
</script>"""


def test_a_command_is_shown_before_it_is_started_and_says_why_it_failed(
    trainer: RunFolder, opened
) -> None:
    with serving(trainer.path.parent) as rules:
        page = opened(rules, width=390)
        page.get_by_role("button", name="Start a run").press("Enter")  # by the keyboard alone
        page.get_by_label("llmlab").select_option("run")
        page.get_by_label("Options").fill("nothing --scale 'smo ke'")
        page.get_by_label("Options").press("Enter")
        page.locator(".go:enabled").wait_for()
        words = page.locator(".words code").all_inner_texts()
        assert words[1:] == ["-m", "llmlab", "run", "nothing", "--scale", "smo ke"]
        page.keyboard.press("Enter")  # the button that starts it has the focus
        page.get_by_text("failed (1)").click(timeout=20_000)
        assert "unknown experiment" in page.locator(".started pre").inner_text()
        assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_the_inside_of_a_model_is_shown_and_reaches_nothing(trainer: RunFolder, browser) -> None:
    (trainer.path / "inspect.html").write_text(NOSY)
    with serving(trainer.path.parent) as rules:
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{rules.port}/?token={rules.token}")
        page.locator("iframe").scroll_into_view_if_needed()
        frame = page.frame_locator("iframe")
        frame.get_by_text("the model").wait_for()
        time.sleep(0.2)  # for what it asks for
        assert frame.locator("#reached").inner_text() == "nothing"
        page.close()


def test_the_checkpoints_shown_are_those_of_the_run_chosen_last(tmp_path: Path, opened) -> None:
    for name in ("first", "second"):
        folder = RunFolder(tmp_path / "runs" / name)
        folder.log.start({"train.steps": 1000})
        (folder.path / "checkpoints" / "step-1").mkdir(parents=True)
    with serving(tmp_path / "runs") as rules:
        page = opened(rules)
        for name in ("first", "second"):
            choice = page.get_by_role("checkbox", name=name)
            choice.uncheck()
            choice.check()
            page.get_by_text(f"{name}/checkpoints/step-1").wait_for(timeout=10_000)


def test_an_empty_folder_and_an_empty_log_are_said_to_be_so(tmp_path: Path, opened) -> None:
    with serving(tmp_path) as rules:
        page = opened(rules, 390)
        page.get_by_text(f"There is no run in {tmp_path}: no log.jsonl lies there").wait_for()
        RunFolder(tmp_path / "micro").log.start({"train.steps": 10})
        page.get_by_text("This log holds no step yet.").wait_for()
        assert not page.locator(".notes").is_visible()
