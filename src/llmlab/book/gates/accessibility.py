"""WCAG 2.1 AA, as far as axe can tell, in the Chromium that the machine has."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa")
LOOKS = ((1280, "light"), (390, "dark"))
"""Widths in pixels and colour schemes that each page is looked at in."""
MOST_NODES = 2
"""Of each problem that are named."""


def why_not() -> str | None:
    """What is missing to look at pages; None if nothing is."""
    try:
        import axe_playwright_python  # noqa: F401
        import playwright.sync_api  # noqa: F401
    except ModuleNotFoundError as error:
        return f"{error.name} is not installed"
    return None if _chromium() else "there is no Chromium on this machine"


def inaccessible_pages(folder: Path, pages: list[Path]) -> Iterator[str]:
    """What axe finds on pages below `folder`, a sentence for each page, look and rule."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=_chromium(), args=["--no-sandbox"])
        for width, scheme in LOOKS:
            yield from _look(browser, width, scheme, folder, pages)
        browser.close()


def _look(
    browser: "Browser", width: int, scheme: str, folder: Path, pages: list[Path]
) -> Iterator[str]:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    for path in pages:
        page.goto(path.resolve().as_uri())
        for found in violations(page):
            nodes = ", ".join(node["target"][0] for node in found["nodes"][:MOST_NODES])
            count = len(found["nodes"])
            where = f"{path.relative_to(folder)} ({width} px, {scheme})"
            yield f"{where} fails {found['id']} at {count} places: {nodes}; {found['help']}"
    context.close()


def violations(page: "Page") -> list[dict]:
    """What axe finds on an open page."""
    from axe_playwright_python.sync_playwright import Axe

    options = {"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]}
    return Axe().run(page, options=options).response["violations"]


def _chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("google-chrome")
