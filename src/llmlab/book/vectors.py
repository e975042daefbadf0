"""Shrink vector images: drop invisible digits, which made up half of the book's PDF."""

import re
from collections.abc import Iterator

_PLACES = re.compile(r'(?<= d=")[^"]*|(?<= [xy]=")[^"]*|(?<="translate\()[^)]*')
"""Matplotlib's coordinates, in points."""

_FINER = re.compile(r"(\.\d\d)\d+")
_LETTER = re.compile(r'(?<=<path id="DejaVu)([^"]*" d=")([^"]*)')
_COMMAND = re.compile(r"([MLQCz])([-\d\s]*)")
_DOTS = re.compile(r'(<g[^>]*)>\n((?:\s*<use [^>]* style="[^"]*"/>\n)+)')
_STYLE = re.compile(r' style="[^"]*"')
_METADATA = re.compile(r" *<metadata>.*?</metadata>\n", re.DOTALL)


def slim(svg: str) -> str:
    """Round a Matplotlib drawing to hundredths of points, and letters to whole font units.

    Dots of the same style share one style attribute.

    PDF has only cubic curves. If a renderer converted the quadratic curves of letters, the result
    would have long fractions of a 2,048th of the font size.
    """
    drawn = _DOTS.sub(_with_one_style, svg)
    drawn = _PLACES.sub(lambda place: _FINER.sub(r"\1", place[0]), _METADATA.sub("", drawn))
    return _LETTER.sub(lambda letter: letter[1] + "".join(_cubic(letter[2])), drawn)


def _with_one_style(dots: re.Match[str]) -> str:
    group, uses = dots.groups()
    styles = set(_STYLE.findall(uses))
    if len(styles) > 1 or "style=" in group:
        return dots[0]
    return f"{group}{styles.pop()}>\n{_STYLE.sub('', uses)}"


def _cubic(path: str) -> Iterator[str]:
    """The commands of an integer path, with quadratic curves raised to cubic ones."""
    x = y = 0
    for command, numbers in _COMMAND.findall(path):
        places = [int(number) for number in numbers.split()]
        if command == "Q":
            towards_x, towards_y, *end = places
            beside = (x, y), (end[0], end[1])
            pulled = [
                round((a + 2 * b) / 3)
                for ends in beside
                for a, b in zip(ends, (towards_x, towards_y), strict=True)
            ]
            command, places = "C", [*pulled, *end]
        if places:
            x, y = places[-2:]
        yield command + " ".join(map(str, places))
