from pathlib import Path

import pikepdf

from llmlab.book.press.pdf import pack

OUTLINE = b"2034 4250 m 1709 4250 1465 4090 1301 3770 c 1138 -91 l h\n469 0 m 708 779 l h\nf\n"


def _packed(folder: Path, *drawings: bytes) -> pikepdf.Pdf:
    """A packed document with a page for each drawing."""
    path = folder / "book.pdf"
    with pikepdf.new() as pdf:
        for n, drawn in enumerate(drawings):
            pdf.add_blank_page()
            pdf.pages[n].Contents = pdf.make_stream(drawn)
        pdf.save(path)
    pack(path)
    return pikepdf.open(path)


def test_drawings_lose_the_digits_that_nobody_sees_and_texts_none(tmp_path: Path) -> None:
    drawn = b"q 0.00488281 0 0 -1 507.67386 2 cm 12.5 0.1 m Q BT (\\000.12345)Tj ET"
    with _packed(tmp_path, drawn) as pdf:
        found = pdf.pages[0].Contents.read_bytes()
    assert found == b"q 0.00488 0 0 -1 507.673 2 cm 12.5 0.1 m Q BT (\\000.12345)Tj ET"


def test_a_letter_of_two_figures_is_kept_once_with_room_around_it(tmp_path: Path) -> None:
    drawn = b"q 0.1 0 0 0.1 %d 9 cm/c1 cs 0.121 scn " + OUTLINE + b"Q\n"
    with _packed(tmp_path, drawn % 5, drawn % 7) as pdf:
        contents = [page.Contents.read_bytes() for page in pdf.pages]
        letters = [page.Resources.XObject["/Letter0"] for page in pdf.pages]
        assert letters[0].objgen == letters[1].objgen
        assert letters[0].read_bytes() == OUTLINE
        assert list(map(int, letters[0].BBox)) == [369, -191, 2134, 4350]
    assert contents == [
        b"q 0.1 0 0 0.1 %d 9 cm/c1 cs 0.121 scn /Letter0 Do\nQ\n" % place for place in (5, 7)
    ]


def test_what_is_drawn_in_points_is_no_letter(tmp_path: Path) -> None:
    drawn = b"q /c1 cs 0.121 scn 1.5 2 m 3 4 l 5 6 l 7 8 l h\nf\nQ\n"
    with _packed(tmp_path, drawn) as pdf:
        assert pdf.pages[0].Contents.read_bytes() == drawn
