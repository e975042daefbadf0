"""What chapters call gives Markdown that names its evidence."""

import json
import re
import shutil
from dataclasses import replace

import pytest
from matplotlib.figure import Figure

from llmlab.book import numbers, show
from llmlab.book.evidence import boxes, overviews
from llmlab.book.evidence.effects import movement_text
from llmlab.method.errors import LabError
from llmlab.method.judging.journal import Entry, Journal, table_key, write_journal
from llmlab.method.judging.scope import Scope
from llmlab.method.judging.verdicts import judge_all

DOSE = {"dose": 0.1, "rule": "a"}


@pytest.fixture
def displayed(monkeypatch) -> list:
    """What a cell displays."""
    outputs: list = []
    monkeypatch.setattr(show, "display", outputs.append)
    return outputs


def title(span: str) -> str:
    return re.search(r'title="([^"]*)"', span)[1]


def test_a_value_carries_interval_seeds_lines_scale_and_commit(recorded_book):
    span = show.value("dose", "score", **DOSE)
    assert re.match(r"\[\d\d\.\d\xa0%\]\{\.value ", span)
    for part in ("95 % interval", "n = 10 seeds", "dose = 0.1, rule = a",
                 "runs.csv, lines 22 to 31", "laptop scale, recorded",
                 "commit 0123456"):  # fmt: skip
        assert part in title(span)


def test_a_difference_is_paired_and_in_points(recorded_book):
    span = show.difference("dose", "score", treatment=DOSE, control={**DOSE, "dose": 0.01})
    assert re.match(r"\[\+\d+\.\d\xa0points\]", span)
    assert "n = 10 paired seeds" in title(span)


def test_the_best_level_names_what_chose_it(recorded_book):
    span = show.best("dose", "dose", rule="a")
    assert span.startswith("[1]")
    assert "best dose by loss" in title(span)


def test_a_table_marks_best_and_ties_and_says_how(recorded_book):
    text = show.table("dose", ["score", "loss"], by="dose", rule="a").data
    assert "| dose (mg) | score (%) | loss (nats) | n | diverged |" in text
    assert len(re.findall(r"\*\*\d", text)) == 2
    assert "paired t test over seeds" in text
    assert "commit 0123456" in text


def test_a_table_of_different_texts_marks_no_best_one(recorded_book):
    text = show.table("dose", "score", by="dose", rule="a", compare=False).data
    assert "**" not in text
    assert "≈" not in text


def test_a_figure_is_followed_by_its_numbers(recorded_book, displayed):
    show.figure("dose", ["score", "loss"], x="dose", by="rule")
    figure, numbers = displayed
    assert isinstance(figure, Figure)
    assert len(figure.axes) == 2
    assert numbers.data.startswith("::: {.details")
    assert "| rule | dose (mg) | score (%) | loss (nats) | n | diverged |" in numbers.data
    assert numbers.data.count("\n| a |") == numbers.data.count("\n| b |") == 4


def test_a_figure_may_leave_out_a_level_far_from_the_others(recorded_book, displayed):
    *others, far = show.means("dose", "score", by="dose", rule="a")["dose"]
    show.figure("dose", "score", x="dose", rule="a", without=[far])
    figure, numbers = displayed
    drawn = {x for line in figure.axes[0].lines for x in line.get_xdata()}
    assert drawn == set(others)
    assert numbers.data.count("\n| ") == 2 + len(others)  # a header and its rule


def test_metrics_of_one_unit_can_share_a_panel(recorded_book, displayed):
    show.figure("dose", ["score", "loss"], x="dose", together="outcome", rule="a")
    (legend,) = displayed[0].legends
    assert [text.get_text() for text in legend.get_texts()] == ["score", "loss"]
    assert displayed[0].axes[0].get_ylabel() == "outcome (%)"


@pytest.mark.parametrize("draw", [show.figure, show.curves])
def test_a_legend_covers_no_data(draw, recorded_book, displayed):
    columns = {"x": "dose", "by": "rule"} if draw is show.figure else {"by": "dose", "rule": "a"}
    draw("dose", "loss", **columns)
    figure = displayed[0]
    figure.draw_without_rendering()
    (legend,) = figure.legends
    assert not legend.get_window_extent().overlaps(figure.axes[0].get_window_extent())
    assert figure.bbox.contains(*legend.get_window_extent().max)


def test_curves_are_followed_by_their_last_points(recorded_book, displayed):
    show.curves("dose", "loss", by="dose", rule="a")
    figure, numbers = displayed
    assert len(figure.axes[0].lines) == 4
    assert "curves.parquet" in numbers.data


def test_a_band_below_zero_does_not_stretch_a_logarithmic_axis(recorded_book, displayed):
    show.curves("dose", "loss", by="dose", log_y=True, rule="a")
    axes = displayed[0].axes[0]
    lowest = min(line.get_ydata().min() for line in axes.lines)
    assert axes.get_ylim()[0] >= lowest / 2


def test_curves_get_a_panel_for_each_level_and_stand_over_tokens(recorded_book, displayed):
    show.curves("dose", "loss", by="dose", panels="rule", x="tokens")
    figure, numbers = displayed
    assert [axes.get_title("left") for axes in figure.axes] == ["a", "b"]
    assert {axes.get_xlabel() for axes in figure.axes} == {"tokens trained on"}
    assert "| rule | dose | last step | mean |" in numbers.data


def test_an_unknown_horizontal_axis_is_one_sentence_with_a_remedy(recorded_book):
    with pytest.raises(LabError, match=r"no curve 'los' .did you mean 'loss'"):
        show.curves("dose", "loss", x="los", dose=0.1, rule="a")


def test_differences_from_one_level_are_followed_by_their_numbers(recorded_book, displayed):
    show.differences("dose", "score", axis="dose", control=0.1, rule="a")
    figure, numbers = displayed
    assert figure.axes[0].get_xlabel() == "score minus that of dose = 0.1 (points)"
    assert "| dose | mean difference | 95 % interval | pairs |" in numbers.data
    assert len(re.findall(r"\| [+−][\d.]+ points \| .* \| 10 \|", numbers.data)) == 3


def test_a_matrix_of_shares_is_followed_by_its_numbers(recorded_book, displayed):
    show.confusion("dose", {"score": "right"}, by="dose", together="taken for", rule="a")
    figure, below = displayed
    (axes, *_) = figure.axes
    shares = show.means("dose", "score", by="dose", rule="a")["mean"]
    assert [text.get_text() for text in axes.texts] == [f"{100 * share:.0f}" for share in shares]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["right"]
    assert "95 % interval" in below.data


def test_one_seed_gives_a_difference_without_an_interval(smoke_book, displayed):
    show.differences("dose", "score", axis="dose", control=0.1, rule="b")
    assert re.search(r"\| 0.01 \| −[\d.]+ points \| – \| 1 \|", displayed[1].data)


def test_a_track_tells_what_it_took_and_what_became_of_its_hypotheses(recorded_book):
    text = show.statistics_of("medicine").data
    words = ["SUPPORTED", "REFUTED", "UNDECIDED", "UNTESTED"]
    found = [verdict.word for verdict in judge_all(recorded_book)]
    counts = [found.count(word) for word in words]
    verdicts = " | ".join(map(str, counts))
    took = f"80, 2 diverged | 780 | 1\N{NO-BREAK SPACE}min | {verdicts} |"
    assert f"| The dose (`dose`), laptop | {took}" in text
    assert f"| **Together** | {took}" in text


def test_checks_do_not_count_among_the_verdicts_of_a_track(recorded_book):
    first, *others = judge_all(recorded_book)
    check = replace(first, hypothesis=replace(first.hypothesis, kind="check"))
    with_check, without = (
        overviews.statistics(recorded_book, verdicts, "medicine").data
        for verdicts in ([check, *others], others)
    )
    assert with_check == without


def test_one_track_is_shown_without_its_name(recorded_book):
    text = show.progress("medicine").data
    assert text.startswith("To know the dose. 0 of 1 features done.")
    assert "## Medicine" not in text
    with pytest.raises(LabError, match=r"no track 'medicin' .did you mean 'medicine'"):
        show.progress("medicin")


def test_means_are_shares_for_drawing_by_hand(recorded_book):
    frame = show.means("dose", "score", by="dose", rule="a")
    assert list(frame.columns) == ["dose", "mean", "low", "high", "n", "diverged"]
    assert frame["mean"].between(0, 1).all()


@pytest.mark.parametrize(
    ("hypothesis", "word"),
    [
        ("H-UP", "supported"),
        ("H-DOWN", "refuted"),
        ("H-SAME", "undecided"),
        ("H-BEST", "supported"),
    ],
)
def test_a_verdict_shows_all_that_backs_it(recorded_book, hypothesis, word):
    box = show.verdict(hypothesis).data
    assert box.startswith(f'::: {{.verdict .{word} label="{hypothesis}"')
    for part in ("data:image/svg+xml", numbers.sample(10), "α = 0.05", "laptop scale",
                 "2\N{NO-BREAK SPACE}cores of Abacus",
                 "**Registered**", "**Smoke rerun**", "What would change our mind"):  # fmt: skip
        assert part in box
    assert show.word(hypothesis) == word.upper()
    assert f".{word}}}" in show.badge(hypothesis)


def test_what_would_reverse_a_trend_is_a_correlation_that_may_exist(recorded_book):
    assert "A rerun whose effect lies above +0.5." in show.verdict("H-TREND").data


def test_a_first_look_needs_no_word(recorded_book):
    assert "**Looks**" not in show.verdict("H-UP").data


def test_every_further_look_stands_in_the_box(recorded_book):
    manifest = recorded_book.recorded("laptop", "dose") / "manifest.json"
    fields = json.loads(manifest.read_text()) | {"judged_before": [3, 4]}
    manifest.write_text(json.dumps(fields))
    box = show.verdict("H-UP").data
    assert "**Looks** | 3: at 3, then 4, now at 10 seeds; p values are multiplied by 8" in box
    assert "look 3" in box


def test_former_verdicts_are_told_where_table_or_word_was_another(recorded_book):
    now = Entry("H-UP", "laptop", _table(recorded_book), 10, "SUPPORTED", 0.3, 0.2, 0.4, 2, "")
    earlier = replace(now, table="earlier", seeds=5, word="UNDECIDED", date="2026-02-01")
    otherwise = replace(now, word="REFUTED", rules=1, date="2026-02-02")
    write_journal(recorded_book, Journal((earlier, otherwise, replace(now, date="2026-02-03"))))
    assert (
        "| **Formerly** | ✗ Refuted on these runs by former rules (t tests and exact sign tests; "
        "an edge of a grid was an alarm; looks shared alpha equally), 2026-02-02; "
        "? Undecided on 5 seeds of an earlier table, 2026-02-01 |"
    ) in show.verdict("H-UP").data


def _table(project):
    manifest = json.loads((project.recorded("laptop", "dose") / "manifest.json").read_text())
    return table_key(manifest["sha256"])


@pytest.mark.parametrize(
    ("p_values", "sentence", "shown"),
    [
        ((0.01, 1.0), "This test alone would decide", "paired; p = 0.01"),
        ((1.0, 0.01), "This test alone would decide", "paired; for the opposite, p = 0.01"),
        ((0.2, 0.8), "The runs do not decide.", "paired; p = 0.2"),
    ],
)
def test_why_nothing_is_decided(recorded_book, p_values, sentence, shown):
    supported = judge_all(recorded_book)[0]
    found = replace(supported.judgement, p_supported=p_values[0], p_refuted=p_values[1])
    box = boxes.verdict_box(replace(supported, word="UNDECIDED", judgement=found))
    assert sentence in box
    assert shown in box


@pytest.mark.parametrize(
    ("parameters", "bases", "text"),
    [
        ((10, 10), 3, "a GPT (10 parameters), 3 base models; plays"),
        ((10, 2000), 1, "a GPT (10 to 2,000 parameters), one base model; plays"),
        (None, 0, "a GPT; plays"),
    ],
)
def test_a_box_says_what_its_verdict_holds_for(recorded_book, parameters, bases, text):
    scope = Scope("a GPT", "plays", parameters, bases, seeds=10, device="2 x Abacus")
    box = boxes.verdict_box(replace(judge_all(recorded_book)[0], scope=scope))
    assert f"| **Holds for** | {text} |" in box


def test_a_family_is_shown_at_every_scale_that_has_evidence(recorded_book):
    found = judge_all(recorded_book)
    scope = Scope("a GPT", "plays", (10, 10), base_seeds=1, seeds=10, device="2 x Abacus")
    larger = [replace(each, scope=scope, word="REFUTED", changes=("run",)) for each in found]
    none = [replace(each, manifest=None) for each in found]
    text = overviews.by_scale({"laptop": found, "gpu": larger, "moon": none}).data
    assert "| Hypothesis | laptop | gpu: 10 parameters, stale |" in text
    assert re.search(r"\*\*H-UP\*\* .* \| \[Supported\].* \+29.7 points .* \| \[Refuted\]", text)


def test_scales_without_evidence_get_no_column(recorded_book):
    assert "| Hypothesis | laptop |\n" in show.scales("H-UP").data


def test_smoke_runs_are_no_scale_of_evidence(smoke_book):
    assert show.scales("H-UP").data == "No runs at laptop or gpu scale exist yet."


SENTENCES = {"supported": "It rises.", "refuted": "It falls.", "undecided": "It may."}


def test_a_learning_follows_the_verdict_and_names_its_effect(recorded_book):
    assert re.match(r"It falls \(\[\+29\.7\xa0points\].*\)\.$", show.says("H-DOWN", **SENTENCES))
    refuted = "At a rate of 1.5 it falls: too far. That is all."
    said = show.says("H-DOWN", **SENTENCES | {"refuted": refuted})
    assert re.match(r"At a rate of 1\.5 it falls \(\[.*\): too far\. That is all\.$", said)
    assert (
        show.says("H-DOWN", **SENTENCES | {"refuted": "it falls: too far"}) == "it falls: too far"
    )
    said = show.says("H-UP", **SENTENCES, also="The difference is {}, not {1}.")
    assert said == f"It rises. The difference is {show.effect('H-UP')}, not {{1}}."


def test_an_effect_may_be_a_verb_that_follows_its_sign(recorded_book):
    risen = show.says("H-UP", **SENTENCES, also="Recall {moves}.")
    assert re.match(r"It rises\. Recall \[rises by 29\.7\xa0points\]", risen)
    verdict = show._verdict("H-UP")
    fallen = replace(verdict, judgement=replace(verdict.judgement, effect=-0.2))
    assert movement_text(fallen) == "falls by 20.0 points"


def test_a_part_of_a_sentence_cites_its_verdict_and_effect(recorded_book):
    cited = show.cite("H-UP")
    assert cited.startswith("H-UP [Supported]{.badge .supported}, [+29.7\xa0points]{.value title=")


def test_what_is_untested_cites_no_effect(book):
    assert show.cite("H-UP") == "H-UP [Untested]{.badge .untested}"


@pytest.mark.parametrize(
    ("hypothesis", "text"),
    [
        ("H-TREND", r"rank correlation [+\N{MINUS SIGN}]\d\.\d{3}"),
        ("H-BEST", r"best: [\d.]+\xa0mg"),
        ("H-MARK", r"49\.\d\xa0%, claimed above 40\.0\xa0%"),
    ],
)
def test_an_effect_in_brackets_needs_no_heading(recorded_book, hypothesis, text):
    said = show.says(hypothesis, **dict.fromkeys(SENTENCES, "So it is."))
    assert re.match(rf"So it is \(\[{text}\]", said)


def test_a_learning_names_no_effect_that_is_no_evidence(smoke_book):
    assert show.says("H-UP", **SENTENCES, untested="Not yet.", also="By {}.") == "Not yet."


def test_an_answer_is_a_paragraph_that_says_nothing_twice():
    untested = "No run has tested this yet."
    shown = show.answer(untested, "A second sentence.", untested)
    assert shown.data == f"::: {{.answer}}\n\n{untested} A second sentence.\n\n:::"


def test_an_alarm_stands_in_the_box(recorded_book):
    assert "runs diverged" in show.verdict("H-BEST").data


def test_smoke_runs_are_shown_but_are_no_evidence(smoke_book):
    assert ".verdict .untested" in show.verdict("H-UP").data
    assert "numbers are not evidence" in show.note("dose").data
    assert "n = 1 seed;" in show.value("dose", "score", **DOSE)


def test_a_rerun_is_compared_with_what_is_recorded(smoke_book):
    fresh = smoke_book.fresh("smoke", "dose")
    shutil.copytree(smoke_book.recorded("smoke", "dose"), fresh)
    assert "[Agrees]{.badge .current} | 8 of 8 | none: equal" in show.reproduction().data
    assert "agree with the recorded ones" in show.verdict("H-UP").data


def test_a_finding_says_its_verdict_its_effect_and_where_it_was_tested(recorded_book):
    first, second = show.finding("H-DOWN", **SENTENCES).splitlines()
    assert first.startswith("1. **It falls.** [Refuted]{.badge .refuted} (")
    assert second.startswith("   Difference in score: +29.7 points (+28.5 to +30.9 points), n")


def test_a_finding_without_evidence_has_no_effect(book):
    found = show.finding("H-UP", **SENTENCES, untested="Nobody knows.")
    assert found == "1. **Nobody knows.** [Untested]{.badge .untested} (`dose`)"


def test_evidence_older_than_the_code_says_so(recorded_book):
    manifest = recorded_book.recorded("laptop", "dose") / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"budget": "', '"budget": "0'))
    assert "Changed since: budget" in show.note("dose").data
    assert "changed since: budget" in title(show.value("dose", "score", **DOSE))
    assert "**stale**" in show.verdict("H-UP").data


def test_evidence_of_today_needs_no_caution(recorded_book):
    assert show.note("dose").data == ""


def test_a_missing_table_names_the_command_that_makes_it(book):
    with pytest.raises(LabError, match="llmlab run dose --scale"):
        show.value("dose", "score", **DOSE)


def test_an_unknown_hypothesis_is_one_sentence(recorded_book):
    with pytest.raises(LabError, match=r"no hypothesis 'H-UPP'.*did you mean 'H-UP'"):
        show.verdict("H-UPP")


def test_an_untested_hypothesis_has_no_effect(book):
    with pytest.raises(LabError, match="H-UP has no effect"):
        show.effect("H-UP")
    assert show.word("H-UP") == "UNTESTED"


def test_the_effect_carries_its_interval(recorded_book):
    assert "90 % interval +" in title(show.effect("H-UP"))


def test_method_and_command_are_those_of_the_table(recorded_book):
    method = show.method("dose").data
    assert "| dose (mg) | 0.01, 0.1, 1, 10 |" in method
    assert "78 completed, 2 diverged" in method
    assert show.command("dose").data == "```bash\nllmlab run dose --scale laptop\n```"


@pytest.mark.parametrize(
    ("page", "parts"),
    [
        (
            show.summary,
            ["| **Medicine** | 3 | 2 | 1 | 0 | – | laptop on Abacus |"],
        ),
        (show.questions, ["**Q-DOSE**", ".badge .exploring", "H-UP\N{NO-BREAK SPACE}[Supported]"]),
        (show.ledger, ["**H-UP**", "+29.7 points", "above +10 points", "2026-01-31"]),
        (
            show.progress,
            ["0 of 1 features done", "[Recorded at laptop]{.badge .exploring}", "Open gates"],
        ),
        (show.dictionary, ["`dose/runs.csv`", "| `score` | number | share |", "curves.parquet"]),
        (show.provenance, ["| `dose` | laptop | recorded |", "llmlab run dose", "SHA-256"]),
        (show.reproduction, ["No experiment has both"]),
        (show.tolerances, ["| `dose` | score | not measured | ± 0.05 |"]),
    ],
)
def test_the_pages_of_the_ledger_and_the_appendices(recorded_book, page, parts):
    text = page().data
    for part in parts:
        assert part in text


def test_a_hypothesis_links_to_the_chapter_of_its_results(recorded_book):
    chapter = recorded_book.chapters / "results" / "dose.py"
    chapter.parent.mkdir()
    chapter.write_text("# %% [markdown]\n# # The dose {#sec-the-dose}\n")
    assert "@sec-the-dose" in show.ledger().data


def test_a_hypothesis_links_to_the_section_of_another_chapter_that_shows_it(recorded_book):
    chapter = recorded_book.chapters / "learnings" / "medicine.py"
    chapter.parent.mkdir()
    chapter.write_text('# # Medicine {#sec-all}\n# ## The dose {#sec-some}\nverdict("H-UP")\n')
    assert "@sec-some" in show.ledger().data
