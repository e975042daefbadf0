"""A replay has a step for the start and one for each answer."""

from sleep_episodes import episode_with

from llmlab.sleep.repair.episodes import Turn
from llmlab.sleep.study.replay import episodes_view

ANSWERED = episode_with(
    start="total\n",
    solution="cost\n",
    start_line=1,
    start_said="total",
    turns=(
        Turn(answer="what?", outcome="no edit", said="the answer holds no line"),
        Turn(answer="1|cost", outcome="green", code="cost\n"),
    ),
)


def test_each_answer_stands_with_the_program_that_it_left():
    view = episodes_view([ANSWERED])
    (shown,) = view["episodes"]
    assert (view["kind"], shown["koan"], shown["family"]) == ("episodes", "k", "names")
    assert [step["code"] for step in shown["steps"]] == ["total\n", "total\n", "cost\n"]
    assert [step["outcome"] for step in shown["steps"]] == ["test", "no edit", "green"]
    assert shown["steps"][0]["said"] == "line 1: NameError: total"
    assert [step.get("answer") for step in shown["steps"]] == [None, "what?", "1|cost"]
