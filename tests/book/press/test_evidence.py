"""The filter by itself, as Quarto runs it: what it makes of each kind of markup."""

import re
import subprocess

import pypandoc
import pytest
import typst

from llmlab.book.press.contents import ASSETS

TEXT = """
The loss is [0.93]{.value title="0.93, n = 5"}. [Stale]{.badge .stale}

::: {.verdict .refuted label="H-1" title="A *step* of 0.1"}
No.
:::

::: {.details summary="The numbers"}
| a | b |
|--:|--:|
| 1 | 2 |

::: {.source}
Source: runs.csv
:::
:::

:::: {.cards}
::: {.card}
One
:::
::: {.card}
Two
:::
::::
"""


def filtered(to, text=TEXT):
    command = [pypandoc.get_pandoc_path(), "--from=markdown", f"--to={to}"]
    command += [f"--lua-filter={ASSETS / 'pandoc' / 'evidence.lua'}", "--wrap=none"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def screen():
    return filtered("html")


@pytest.fixture(scope="module")
def paper():
    return filtered("typst")


def test_a_value_keeps_its_provenance(screen, paper):
    assert '<span class="value" title="0.93, n = 5" tabindex="0">0.93</span>' in screen
    assert "0.93#footnote[0.93, n = 5]" in paper


def test_a_verdict_has_sign_and_word(screen, paper):
    assert (
        '<span class="sign" aria-hidden="true">✗</span><span class="word">Refuted</span>' in screen
    )
    assert '<span class="label">H-1</span>' in screen
    assert "✗ Refuted" in paper
    assert "#strong[A #emph[step] of 0.1]" in paper


def test_the_word_of_a_check_says_that_it_is_one():
    text = "::: {.verdict .supported .check}\nA check.\n:::\n"
    assert '<span class="word">Check: supported</span>' in filtered("html", text)
    assert "✓ Check: supported" in filtered("typst", text)


def test_a_drawing_stands_in_the_middle_of_a_printed_verdict_and_is_smaller_there():
    text = '::: {.verdict .supported}\nOf ![a](x.svg) two.\n\n![](x.svg){alt="b" width=400}\n:::\n'
    paper = filtered("typst", text)
    assert paper.count("#align(center)[") == 1
    assert paper.index("two.") < paper.index("#align(center)[")
    assert "width: 2.5in" in paper  # 240 of 400 pixels


def test_a_badge_has_a_sign(screen, paper):
    assert (
        '<span class="badge stale"><span class="sign" aria-hidden="true">!</span>Stale</span>'
        in screen
    )
    assert "!~Stale" in paper


def test_details_are_closed_on_screen_and_open_in_print(screen, paper):
    assert '<details class="details"><summary>' in screen
    assert "#emph[The numbers]" in paper


def test_a_long_table_in_details_is_left_out_in_print_and_named():
    def document(n):
        rows = "".join(f"| row {row} |\n" for row in range(n))
        return f'::: {{.details summary="The numbers"}}\n| a |\n|:--|\n{rows}\n:::\n'

    assert "row 15" in filtered("typst", document(16))
    assert "row 16" in filtered("html", document(17))
    paper = filtered("typst", document(17))
    assert "row 1" not in paper
    assert "The HTML edition shows the 17 rows of this table" in paper


def test_details_of_one_paragraph_begin_with_their_title_in_print():
    text = '::: {.details summary="Why"}\nA *theory*.\n:::\n'
    assert "#emph[Why.] A #emph[theory]." in filtered("typst", text)


def test_a_printed_table_wider_than_the_page_gets_columns_by_their_text():
    sentence = (
        "Too low a rate hardly learns anything in so few steps of training, whatever it costs. "
    )
    rows = f"| a | b | c |\n|:--|:--|:--|\n| {sentence * 2} | {sentence} | short cell |\n"
    widths = [float(width) for width in re.findall(r"([\d.]+)%", filtered("typst", rows))]
    assert widths[0] > widths[1] > widths[2] > 10
    assert sum(widths) == pytest.approx(100, abs=0.1)


def test_a_printed_table_of_many_numbers_is_set_small_and_divides_none_of_them():
    heads = "| " + " | ".join(["a long heading"] * 10) + " |\n" + "|--:" * 10 + "|\n"
    table = filtered("typst", heads + "| 35.1\u00a0±\u00a012.4 " * 10 + "|\n")
    assert "#show table: set text(size: 7.8pt)" in table
    widths = [float(width) for width in re.findall(r"([\d.]+)%", table.split("columns:")[1])]
    assert widths == pytest.approx([10] * 10, abs=0.1)


def test_a_printed_table_that_fits_keeps_the_widths_of_its_text(paper):
    assert "columns: 2," in paper


def test_an_answer_is_larger_than_the_text():
    text = "::: {.answer}\nIt is.\n:::\n"
    assert '<div class="answer">' in filtered("html", text)
    assert "#set text(size: 1.1em)" in filtered("typst", text)


def test_typst_understands_all_of_it(paper, tmp_path):
    source = tmp_path / "paper.typ"
    source.write_text(paper)
    assert typst.compile(source).startswith(b"%PDF")
