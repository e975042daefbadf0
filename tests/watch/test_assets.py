import hashlib
import re

from llmlab.watch.server import ASSETS


def test_uplot_is_the_release_that_its_sums_say() -> None:
    sums = (ASSETS / "uplot" / "SHA256SUMS").read_text().splitlines()
    assert len(sums) == 3
    for digest, name in (line.split() for line in sums):
        content = (ASSETS / "uplot" / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest


def test_the_page_asks_nothing_from_outside_and_makes_no_html_of_text() -> None:
    own = [path for path in ASSETS.iterdir() if path.suffix in (".js", ".html", ".css")]
    text = "".join(path.read_text(encoding="utf-8") for path in own)
    assert len(own) == 9
    assert not re.search(r"(?<!\{scheme\}:)(?:https?:)?//[\w.]+\.\w", text.replace("w3.org", ""))
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
