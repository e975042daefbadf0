"""The ledger: what it reads, and the one sentence that it gives for each mistake."""

import tomllib
from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from llmlab.method.declare.experiment import Axis, Budget, Experiment, Metric
from llmlab.method.errors import LabError
from llmlab.method.judging.ledger import Hypothesis
from llmlab.method.judging.ledger_files import load_ledger
from llmlab.method.project import Project

QUESTIONS = """
[[question]]
id = "Q-DOSE"
text = "Which dose works best?"
track = "medicine"
"""

HYPOTHESES = """
[[hypothesis]]
id = "H-DOSE-1"
question = "Q-DOSE"
experiment = "dose"
title = "More helps"
statement = "The middle dose scores at least 0.1 higher than the smallest."
reason = "Theory of doses, section 1."
metric = "score"
claim = "greater"
treatment = { dose = 2.0 }
control = { dose = 1.0 }
margin = 0.1
family = "dose"
registered = 2026-01-31

[[hypothesis]]
id = "H-DOSE-2"
question = "Q-DOSE"
experiment = "dose"
title = "The best dose is the middle one"
statement = "The dose with the highest score lies between 1.5 and 3."
reason = "Theory of doses, section 2."
metric = "score"
claim = "interval"
best = "dose"
interval = [1.5, 3]
family = "dose"
registered = 2026-01-31
"""

TRACKS = """
[[track]]
id = "medicine"
title = "Medicine"
goal = "To know the dose."

[[track.phase]]
id = "first"
title = "First"
goal = "A dose is known."

[[track.phase.feature]]
title = "The dose"
experiments = ["dose"]
questions = ["Q-DOSE"]

[[track.phase]]
id = "second"
title = "Second"
goal = "The dose is used."
after = ["first"]

[[track.phase.feature]]
title = "Its use"
chapters = ["results/use.py"]
"""


def dose_experiment(name="dose"):
    if name != "dose":
        raise LabError(f"unknown experiment '{name}' (did you mean 'dose'?); see the list.")
    return Experiment(
        name="dose",
        title="Dose",
        question="Q-DOSE",
        summary="Doses.",
        axes=[
            Axis("dose", "Dose given.", "mg"),
            Axis("form", "Form given."),
            Axis("days", "Days."),
        ],
        metrics=[
            Metric("score", "How well.", "points", "higher"),
            Metric("loss", "How badly.", "nats", "lower"),
            Metric("count", "How many.", "1"),
        ],
        budgets={
            "smoke": Budget({"dose": [1.0, 2.0], "form": ["pill"], "days": [1, 2]}, seeds=1),
            "laptop": Budget({"dose": [1.0, 2.0, 4.0], "form": ["pill"], "days": [1]}, seeds=5),
        },
        run=lambda trial: None,
        selection_metric="loss",
    )


def simple_experiment(name="dose"):
    """With one level of `days` at each scale, as the hypotheses above need."""
    experiment = dose_experiment(name)
    experiment.budgets["smoke"].conditions["days"] = [1]
    return experiment


@pytest.fixture
def book(tmp_path):
    """A function that loads the ledger made of the three texts."""
    folder = tmp_path / "chapters" / "hypotheses"
    folder.mkdir(parents=True)

    def load(questions=QUESTIONS, hypotheses=HYPOTHESES, tracks=TRACKS, experiment=None):
        (folder / "questions.toml").write_text(questions, encoding="utf-8")
        (folder / "hypotheses.toml").write_text(hypotheses)
        (folder / "tracks.toml").write_text(tracks)
        return load_ledger(Project(tmp_path), experiment or simple_experiment)

    return load


@pytest.mark.parametrize("change", ["\N{BYTE ORDER MARK}{}", "{}\n\n", "# café\n{}"])
def test_what_editors_add_changes_nothing(book, change):
    assert book(questions=change.format(QUESTIONS)) == book()


def test_a_correct_ledger_is_read_whole(book):
    ledger = book()
    first, second = ledger.hypotheses
    assert (first.treatment, first.margin, first.alpha) == ({"dose": 2.0}, 0.1, 0.05)
    assert first.registered == date(2026, 1, 31)
    assert second.interval == (1.5, 3.0)
    assert ledger.tracks[0].phases[1].after == ("first",)
    assert ledger.question("Q-DOSE").track == "medicine"


def test_the_ledger_of_the_book_is_correct():
    ledger = load_ledger(Project.find(Path(__file__).parent))
    assert {"book", "finetune", "pretraining", "cluster"} <= {track.id for track in ledger.tracks}


def test_an_unknown_id_suggests_the_nearest(book):
    with pytest.raises(LabError, match=r"no hypothesis 'H-DOSE-3'.*did you mean 'H-DOSE"):
        book().hypothesis("H-DOSE-3")


CONTROL = "control = { dose = 1.0 }"

MISTAKES = {
    "syntax": ("margin = 0.1", "margin = ", "not valid TOML.*line"),
    "unknown table": ("[[hypothesis]]", "[[hypotesis]]", "unknown table 'hypotesis'.*hypothesis"),
    "unknown key": ("margin = 0.1", "margin = 0.1\nalfa = 0.1", "unknown key 'alfa'.*'alpha'"),
    "missing key": ('title = "More helps"\n', "", "H-DOSE-1: 'title' is missing"),
    "bad id": ('"H-DOSE-1"', '"dose 1"', "hypothesis dose 1: 'id' cannot be 'dose 1'"),
    "repeated id": ('"H-DOSE-1"', '"H-DOSE-2"', "H-DOSE-2: two entries have this id"),
    "text for a number": ("margin = 0.1", 'margin = "0.1"', "'margin' cannot be '0.1'"),
    "not a number": ("margin = 0.1", "margin = nan", "'margin' cannot be nan"),
    "text for a date": ("2026-01-31", '"2026-01-31"', "'registered' cannot be"),
    "unknown claim": ('"greater"', '"bigger"', "'claim' cannot be 'bigger'.*'greater'"),
    "list for a level": ("{ dose = 2.0 }", "{ dose = [2.0] }", "'treatment.dose' cannot be"),
    "key the claim needs": ("margin = 0.1\n", "", "'greater' needs 'margin'"),
    "key of another claim": (CONTROL, f'{CONTROL}\nalong = "dose"', "does not use 'along'"),
    "makes no comparison": (f"{CONTROL}\n", "", "needs either 'control' or 'reference'"),
    "two to compare with": (CONTROL, f"{CONTROL}\nreference = 1", "either 'control' or 'ref"),
    "control of an optimum": (
        'best = "dose"',
        'best = "dose"\ncontrol = { dose = 1.0 }',
        "makes no comparison",
    ),
    "unknown question": ('"Q-DOSE"', '"Q-DOES"', "no question 'Q-DOES'.*did you mean 'Q-DOSE'"),
    "unknown experiment": ('"dose"', '"doze"', "H-DOSE-1: unknown experiment 'doze'.*'dose'"),
    "unknown metric": ('"score"', '"scores"', "no metric 'scores'.*did you mean 'score'"),
    "unknown axis": ("{ dose = 2.0 }", "{ doze = 2.0 }", "treatment: there is no axis 'doze'"),
    "unknown level": (
        "{ dose = 2.0 }",
        "{ dose = 3.0 }",
        "dose = 3.0 is not a level.*1.0, 2.0, 4.0",
    ),
    "open axis": ("{ dose = 2.0 }", '{ form = "pill" }', "dose has 2 levels at smoke"),
    "same sides": ("{ dose = 2.0 }", "{ dose = 1.0 }", "treatment and control are the same"),
    "fixed and tuned": (CONTROL, f'{CONTROL}\ntuned = ["dose"]', "both fixed and free"),
    "other alpha": (CONTROL, f"{CONTROL}\nalpha = 0.01", "H-DOSE-2: its alpha 0.05 differs"),
    "compares what tunes": (
        '"score"\nclaim = "greater"',
        '"loss"\nclaim = "greater"\ntuned = ["form"]',
        "'loss' tunes each side and cannot also be compared",
    ),
    "unknown predecessor": (CONTROL, f'{CONTROL}\nsupersedes = "H-X"', "no hypothesis 'H-X'"),
    "empty interval": ("[1.5, 3]", "[3, 1.5]", r"interval \[3.0, 1.5\] is empty"),
    "trivial interval": ("[1.5, 3]", "[1, 4]", "contains every level"),
    "best of text": (
        'best = "dose"',
        'best = "form"\ntreatment = { dose = 2.0 }',
        "levels of form are not numbers",
    ),
    "best without direction": (
        '"score"\nclaim = "interval"',
        '"count"\nclaim = "interval"',
        "'count' has no direction",
    ),
}


@pytest.mark.parametrize(("old", "new", "sentence"), MISTAKES.values(), ids=MISTAKES.keys())
def test_each_mistake_in_a_hypothesis_is_one_sentence(book, old, new, sentence):
    assert old in HYPOTHESES
    with pytest.raises(LabError, match=rf"(?s)chapters/hypotheses/hypotheses.toml.*{sentence}"):
        book(hypotheses=HYPOTHESES.replace(old, new, 1))


def test_an_axis_with_several_levels_at_one_scale_is_refused(book):
    with pytest.raises(LabError, match=r"days has 2 levels at smoke and none is chosen; fix it"):
        book(experiment=dose_experiment)


def test_equivalence_needs_a_margin_above_zero(book):
    text = HYPOTHESES.replace('"greater"', '"equivalent"').replace("margin = 0.1", "margin = 0")
    with pytest.raises(LabError, match="needs a margin above 0"):
        book(hypotheses=text)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            'track = "medicine"',
            'track = "medicin"',
            "no track 'medicin'.*medicine",
        ),
        ('track = "medicine"', 'track = "medicine"\nstatus = "OPEN"', "unknown key 'status'"),
        ('text = "Which', 'superseded_by = "Q-X"\ntext = "Which', "no question 'Q-X'"),
    ],
)
def test_each_mistake_in_a_question_is_one_sentence(book, old, new, sentence):
    with pytest.raises(LabError, match=rf"questions.toml: question Q-DOSE: .*{sentence}"):
        book(questions=QUESTIONS.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('id = "second"', 'id = "first"', "two phases have the id 'first'"),
        ('after = ["first"]', 'after = ["frist"]', "no phase 'frist'.*did you mean 'first'"),
        ('after = ["first"]', 'after = ["second"]', "phases wait for each other"),
        ('questions = ["Q-DOSE"]', 'questions = ["Q-DOZE"]', "feature 'The dose': .*'Q-DOSE'"),
        ('chapters = ["results/use.py"]', "", "feature 'Its use': it has no gates"),
        ('chapters = ["results/use.py"]', "done = true", "unknown key 'phase.1.feature.0.done'"),
    ],
)
def test_each_mistake_in_a_track_is_one_sentence(book, old, new, sentence):
    with pytest.raises(LabError, match=rf"(?s)tracks.toml: track medicine: .*{sentence}"):
        book(tracks=TRACKS.replace(old, new))


def test_a_missing_file_is_named(book, tmp_path):
    book()
    (tmp_path / "chapters/hypotheses/tracks.toml").unlink()
    with pytest.raises(LabError, match=r"tracks.toml is missing; create it"):
        load_ledger(Project(tmp_path), simple_experiment)


CHECKED = TypeAdapter(Hypothesis)

levels = st.one_of(st.text("ab-/0", min_size=1), st.integers(-9, 9), st.floats(0, 1), st.booleans())


@given(st.dictionaries(st.sampled_from("abc"), levels), st.floats(0, 9), st.dates())
def test_levels_and_numbers_survive_the_way_through_toml(conditions, margin, registered):
    (entry, _) = tomllib.loads(HYPOTHESES)["hypothesis"]
    cells = ", ".join(f"{axis} = {_toml(level)}" for axis, level in conditions.items())
    text = f"treatment = {{ {cells} }}\nmargin = {margin!r}\nregistered = {registered}"
    hypothesis = CHECKED.validate_python({**entry, **tomllib.loads(text)})
    assert hypothesis.treatment == conditions
    assert [type(level) for level in hypothesis.treatment.values()] == [
        type(level) for level in conditions.values()
    ]
    assert (hypothesis.margin, hypothesis.registered) == (margin, registered)


@given(st.text(max_size=200))
def test_any_text_is_a_ledger_or_one_sentence(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("book") / "chapters" / "hypotheses"
    folder.mkdir(parents=True)
    for name in ("questions", "hypotheses", "tracks"):
        (folder / f"{name}.toml").write_text(text, encoding="utf-8", newline="")
    with suppress(LabError):
        load_ledger(Project(folder.parent.parent), simple_experiment)


def _toml(level):
    return str(level).lower() if isinstance(level, bool) else repr(level)


@pytest.mark.parametrize("value", ["[" * 100_000 + "]" * 100_000, "9" * 6000, "{a." * 50_000])
def test_values_that_no_parser_takes_are_one_sentence(ledger_lab, value: str) -> None:
    (ledger_lab.project.ledger / "questions.toml").write_text(f"[[question]]\nid = {value}\n")
    with pytest.raises(LabError, match=r"questions\.toml is not valid TOML: .*; ") as caught:
        load_ledger(ledger_lab.project)
    assert "\n" not in str(caught.value)
