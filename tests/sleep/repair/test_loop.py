"""The loop with a client that says what it is told to; judged by the real interpreter."""

from dataclasses import dataclass, field

from llmlab.sleep.koans.koan import Case, Koan
from llmlab.sleep.koans.verdict import Verdict
from llmlab.sleep.repair.loop import Setting, attempt
from llmlab.sleep.repair.measures import compared, evaluated
from llmlab.sleep.repair.task import Answer, Example
from llmlab.sleep.sandbox.sandbox import Unguarded

KOAN = Koan(
    "twice",
    "operators",
    "python",
    "wrong",
    "def f(x):\n    return x * 3\n",
    "def f(x):\n    return x * 2\n",
    (Case("f(2)", "4"),),
    hint="use another number",
)
RIGHT = Answer("2|    return x * 2", 10, 5, 0.5)


@dataclass
class Scripted:
    """Gives the next of its answers at each turn."""

    answers: list[Answer]
    name: str = "scripted"
    seen: list = field(default_factory=list)

    def answer(self, tasks, turn):
        self.seen += tasks
        return [self.answers[turn]] * len(tasks)


def tried(*answers, **setting):
    client = Scripted(list(answers))
    setting = Setting(turns=len(answers), **setting)
    return attempt([KOAN], client, Unguarded(), setting)[0], client.seen


def test_a_right_edit_is_green_at_once_and_ends_the_episode():
    episode, seen = tried(RIGHT, RIGHT)
    assert episode.is_green
    assert len(episode.turns) == len(seen) == 1


def test_the_second_question_shows_what_the_first_edit_did():
    episode, seen = tried(Answer("2|    return y"), RIGHT)
    assert [turn.outcome for turn in episode.turns] == ["test", "green"]
    assert seen[1].code.endswith("return y\n")
    assert seen[1].verdict.error == "NameError"


def test_an_answer_without_an_edit_is_told_why_and_costs_a_turn():
    episode, seen = tried(Answer("no idea"), RIGHT)
    assert [turn.outcome for turn in episode.turns] == ["no edit", "green"]
    assert "NUMBER|TEXT" in seen[1].complaint


def test_a_model_that_is_down_ends_the_episode():
    episode, _ = tried(Answer("", failure="the server does not answer"), RIGHT)
    assert [turn.outcome for turn in episode.turns] == ["no answer"]
    assert not episode.is_green


def test_hints_are_given_where_they_are_asked_for():
    assert tried(RIGHT, families=True)[1][0].hint == "use another number"
    assert tried(RIGHT)[1][0].hint == ""


def test_an_evaluation_counts_turns_tokens_and_what_was_no_edit():
    found = evaluated([tried(Answer("no"), RIGHT)[0], tried(Answer("no"))[0]])
    assert (found.passed, found.n, found.median_turns) == (1, 2, 2)
    assert found.no_edit == 2 / 3
    assert found.tokens == 15


def test_a_comparison_names_gains_and_regressions():
    red, green = tried(Answer("no"))[0], tried(RIGHT)[0]
    assert compared([red], [green]).gains == ("twice",)
    assert compared([green], [red]).regressions == ("twice",)
    assert compared([red], [green]).p == 1.0


def test_each_question_follows_the_examples_of_its_family():
    example = Example("def f():\n    return y\n", Verdict("test", "NameError", 2), "2|    return 1")
    _, (question,) = tried(RIGHT, examples={KOAN.family: (example,), "loops": ()})
    assert question.examples == (example,)
