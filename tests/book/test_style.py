"""Figures are the same bytes on every run."""

import base64

from llmlab.book import style


def drawn() -> str:
    figure, axes = style.subplots()
    style.error_line(axes, [1, 2], [1, 2], [0.5, 1.5], [1.5, 2.5], label="line")
    axes.legend()
    return style.svg_uri(figure)


def test_an_image_has_the_same_bytes_on_every_run():
    assert drawn() == drawn()


def test_an_image_holds_no_date():
    svg = base64.b64decode(drawn().partition("base64,")[2]).decode()
    assert "<dc:date>" not in svg


def test_ordered_levels_get_as_many_colours():
    assert len({tuple(colour) for colour in style.sequence(7)}) == 7
