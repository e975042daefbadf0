"""Compress the PDF of the book, whichever renderer made it."""

import re
from pathlib import Path

import pikepdf
from pikepdf import Name, Pdf, Stream

_FINER = re.compile(rb"(?<=\d)(\.0*\d{3})\d+(?=[ \n])")
"""Digits of numbers in drawings beyond a thousandth of a point, or three significant ones."""

_LETTER = re.compile(rb"(?<=scn )((?:(?:-?\d+ )+[mlc]\s|h\s){4,}f\s)")
"""The filled outline of a letter in a figure: whole units of its font."""

_UNITS = re.compile(rb"-?\d+")

_ROOM = 100
"""Units of the font around a letter, so that no edge is cut off."""


def pack(path: Path) -> None:
    """Compress what typst does not: the tags that screen readers need, half of its file.

    Drops invisible digits from drawings, and stores the outline of each letter once.
    """
    pikepdf.settings.set_flate_compression_level(9)
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        for page in pdf.pages:
            page.contents_coalesce()
            page.Contents.write(_FINER.sub(rb"\1", page.Contents.read_bytes()))
        _keep_letters_once(pdf)
        pdf.save(
            path,
            object_stream_mode=pikepdf.ObjectStreamMode.generate,
            recompress_flate=True,
            deterministic_id=True,
        )


def _keep_letters_once(pdf: Pdf) -> None:
    """Move the outlines of letters from the drawings into forms that all pages share."""
    found = {n: _LETTER.findall(page.Contents.read_bytes()) for n, page in enumerate(pdf.pages)}
    outlines = dict.fromkeys(outline for page in found.values() for outline in page)
    names = {outline: f"/Letter{n}" for n, outline in enumerate(outlines)}
    forms = {outline: _form(pdf, outline) for outline in outlines}
    for n, page in enumerate(pdf.pages):
        for outline in set(found[n]):
            page.add_resource(forms[outline], Name.XObject, Name(names[outline]))
        drawn = page.Contents.read_bytes()
        page.Contents.write(_LETTER.sub(lambda letter: f"{names[letter[1]]} Do\n".encode(), drawn))


def _form(pdf: Pdf, outline: bytes) -> Stream:
    """A letter that takes its colour and place from where it is used."""
    units = list(map(int, _UNITS.findall(outline)))
    x, y = units[::2], units[1::2]
    box = [min(x) - _ROOM, min(y) - _ROOM, max(x) + _ROOM, max(y) + _ROOM]
    return Stream(pdf, outline, Type=Name.XObject, Subtype=Name.Form, BBox=box)
