from pathlib import Path

import pikepdf

from llmlab.book.press.pdf import pack


def test_drawings_lose_the_digits_that_nobody_sees_and_texts_none(tmp_path: Path) -> None:
    drawn = b"q 0.00488281 0 0 -1 507.67386 2 cm 12.5 0.1 m Q BT (\\000.12345)Tj ET"
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.pages[0].Contents = pdf.make_stream(drawn)
        pdf.save(tmp_path / "book.pdf")
    pack(tmp_path / "book.pdf")
    with pikepdf.open(tmp_path / "book.pdf") as pdf:
        found = pdf.pages[0].Contents.read_bytes()
    assert found == b"q 0.00488 0 0 -1 507.673 2 cm 12.5 0.1 m Q BT (\\000.12345)Tj ET"
