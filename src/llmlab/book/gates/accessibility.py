"""Check WCAG 2.1 AA with axe in the machine's Chromium."""

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from llmlab.method.wording import counted

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa")
LOOKS = ((1280, "light"), (390, "dark"))
"""Widths in pixels and colour schemes in which each page is checked."""
MOST_NODES = 2
"""Most elements named per problem."""
MOST_SECONDS = 120
"""Time limit for one check of a page; exceeding it is a problem of that page only."""

Tell = Callable[[int, int, str], None]
"""Called with the checks done, the checks in all, and the page of the last one."""


def why_not() -> str | None:
    """What is missing for checking pages; None if nothing is."""
    try:
        import axe_playwright_python  # noqa: F401
        import playwright.async_api  # noqa: F401
    except ModuleNotFoundError as error:
        return f"{error.name} is not installed"
    return None if _chromium() else "Chromium is not installed"


def inaccessible_pages(folder: Path, pages: Sequence[Path], tell: Tell) -> list[str]:
    """Check pages below `folder` with axe; one sentence per page, look and violated rule."""
    looks = list(product(pages, LOOKS))
    found = asyncio.run(_all(folder, looks, tell)) if looks else []
    return [problem for problems in found for problem in problems]


async def _all(
    folder: Path, looks: Sequence[tuple[Path, tuple[int, str]]], tell: Tell
) -> list[list[str]]:
    """The problems of each look, from one browser with one page per core at a time."""
    from playwright.async_api import async_playwright

    free, done = asyncio.Semaphore(os.cpu_count() or 1), 0

    async def one(path: Path, width: int, scheme: str) -> list[str]:
        nonlocal done
        name = str(path.relative_to(folder))
        async with free:
            problems = await _look(browser, path, width, scheme)
        done += 1
        tell(done, len(looks), name)
        return [f"{name} ({width} px, {scheme}) {problem}" for problem in problems]

    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=_chromium(), args=["--no-sandbox"])
        found = await asyncio.gather(*(one(path, *look) for path, look in looks))
        await browser.close()
    return found


async def _look(browser: "Browser", path: Path, width: int, scheme: str) -> list[str]:
    context = await browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    try:
        return list(_sentences(await asyncio.wait_for(_violations(context, path), MOST_SECONDS)))
    except TimeoutError:
        return [f"takes axe longer than {MOST_SECONDS} s"]
    finally:
        await context.close()


async def _violations(context: "BrowserContext", path: Path) -> list[dict]:
    """The violations that axe finds on the page of a file."""
    from axe_playwright_python.async_playwright import Axe

    page = await context.new_page()
    await page.goto(path.resolve().as_uri(), timeout=0)
    options = {"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]}
    return (await Axe().run(page, options=options)).response["violations"]


def _sentences(violations: list[dict]) -> Iterator[str]:
    for found in violations:
        nodes = ", ".join(node["target"][0] for node in found["nodes"][:MOST_NODES])
        places = counted(len(found["nodes"]), "place")
        yield f"fails {found['id']} at {places}: {nodes}; {found['help']}"


def _chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("google-chrome")
