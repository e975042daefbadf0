"""The menu of versions, in a real Chromium."""

import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address(rendered_sample: Path, tmp_path: Path) -> Iterator[str]:
    """A server of two versions and a preview; the older one lacks a page."""
    for name in ("dev", "1.0", "pr-7"):
        shutil.copytree(rendered_sample, tmp_path / name)
    (tmp_path / "1.0" / "results" / "steps.html").unlink()
    (tmp_path / "versions.json").write_text('["dev", "1.0"]')
    handler = partial(Quiet, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_menu_leads_to_the_same_page_or_to_the_front_page(address: str) -> None:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        for here, version, there in (
            ("dev/concepts/steps.html", "1.0", "1.0/concepts/steps.html"),
            ("1.0/concepts/steps.html", "dev", "dev/concepts/steps.html"),
            ("dev/results/steps.html", "1.0", "1.0/index.html"),
            ("pr-7/results/steps.html", "dev", "dev/results/steps.html"),
        ):
            page.goto(f"{address}/{here}")
            menu = page.get_by_label("Version")
            menu.wait_for()
            assert menu.input_value() == here.split("/")[0]
            menu.select_option(version)
            page.wait_for_url(f"{address}/{there}")
        browser.close()
