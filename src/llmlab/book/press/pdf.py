"""The PDF of the book, whoever made it."""

import re
from pathlib import Path

import pikepdf

_FINER = re.compile(rb"(?<=\d)(\.0*\d{3})\d+(?=[ \n])")
"""Of numbers in drawings, digits beyond a thousandth of a point, or of three that count."""


def pack(path: Path) -> None:
    """Compress what typst leaves open: the tags that screen readers need, half of its file.

    Drawings lose the digits that nobody sees.
    """
    pikepdf.settings.set_flate_compression_level(9)
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        for drawn in pdf.objects:
            if isinstance(drawn, pikepdf.Stream) and not {"/Type", "/Subtype"} & set(drawn.keys()):
                drawn.write(_FINER.sub(rb"\1", drawn.read_bytes()))
        pdf.save(
            path,
            object_stream_mode=pikepdf.ObjectStreamMode.generate,
            recompress_flate=True,
            deterministic_id=True,
        )
