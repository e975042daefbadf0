import re

from llmlab.book.vectors import slim

DRAWN = """<svg>
 <metadata>
  <x/>
 </metadata>
 <path d="M 1.23456 2.5
L 3.999999 0"/>
 <g transform="translate(1.23456 7) scale(0.105 -0.105)"><path id="DejaVuSans-41" d="M 0 0
Q 3 0 3 3
L -3 4
z
" transform="scale(0.015625)"/></g>
</svg>"""


def test_only_digits_that_nobody_sees_go() -> None:
    slimmed = slim(DRAWN)
    assert "M 1.23 2.5\nL 3.99 0" in slimmed
    assert "translate(1.23 7) scale(0.105 -0.105)" in slimmed
    assert 'transform="scale(0.015625)"' in slimmed
    assert "metadata" not in slimmed


def test_letters_keep_their_shape_in_cubic_curves() -> None:
    (letter,) = re.findall(r'id="DejaVuSans-41" d="([^"]*)"', slim(DRAWN))
    assert letter == "M0 0C2 0 3 1 3 3L-3 4z"


def test_dots_that_look_alike_say_so_once() -> None:
    dot = '<use xlink:href="#m" x="1.5" y="2" style="fill: red"/>\n'
    other = '<use xlink:href="#m" x="1" y="2" style="fill: blue"/>\n'
    alike, mixed = (f'<g clip-path="url(#p)">\n{dots}</g>' for dots in (2 * dot, dot + other))
    assert slim(alike).count("fill: red") == 1
    assert '<g clip-path="url(#p)" style="fill: red">' in slim(alike)
    assert slim(mixed) == mixed


def test_a_slim_drawing_stays_as_it_is() -> None:
    assert slim(slim(DRAWN)) == slim(DRAWN)
