"""Check that a page is valid HTML."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import html5lib

from llmlab.book.gates.weight import without_data
from llmlab.method.files import read_text

IGNORED = frozenset({"unexpected-html-element-in-foreign-content"})


def invalid_pages(folder: Path) -> Iterator[str]:
    """Parse errors and repeated ids, one sentence per page and kind."""
    for path in sorted(folder.rglob("*.html")):
        for problem in html_problems(without_data(read_text(path))):
            yield f"{path.relative_to(folder)} {problem}"


def html_problems(text: str) -> Iterator[str]:
    """The problems of a page: parse errors by the HTML standard, and repeated ids."""
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    tree = parser.parse(text)
    seen: set[str] = set()
    for (line, _), code, _ in parser.errors:
        if code not in seen | IGNORED:
            seen.add(code)
            yield f"is not valid HTML in line {line}: {code}"
    ids = Counter(element.get("id") for element in tree.iter() if element.get("id"))
    for name in (name for name, count in ids.items() if count > 1):
        yield f"has the id {name} more than once"
