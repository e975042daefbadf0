"""A run that somebody steers while it trains."""

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import count

from llmlab.gpt.command.run_events import Interrupted, Saved
from llmlab.gpt.command.session import PretrainingSession
from llmlab.gpt.distributed import Workers
from llmlab.gpt.saved.checkpoints import load_checkpoint
from llmlab.gpt.speed import flops_per_token
from llmlab.gpt.training import Point
from llmlab.runs.control import Request, Steered, ask

IDS = (f"{number:016x}" for number in count(1))


def steered(
    session: PretrainingSession, at: int, *actions: str, resume: bool = False
) -> list[object]:
    """The events of a run that is asked for `actions` while step `at` is being taken."""
    seen = []
    for event in session.events(Workers.alone(), resume=resume):
        seen.append(event)
        if isinstance(event, Point) and event.step == at:
            for action in actions:
                rate = 0.5 if action == "rate" else None
                ask(session.folder, Request(id=next(IDS), action=action, rate=rate))
    return seen


def test_a_change_of_rate_holds_from_the_next_step_and_stands_in_the_record(
    session: PretrainingSession, changed: Callable[..., PretrainingSession]
) -> None:
    plain = steered(session, 3)
    run = changed("steered")
    rates = {event.step: event.learning_rate for event in plain if isinstance(event, Point)}
    found = {
        event.step: event.learning_rate
        for event in steered(run, 3, "rate")
        if isinstance(event, Point)
    }
    assert all(found[step] == rates[step] for step in range(4))
    assert all(round(found[step] / rates[step], 6) == 50 for step in range(4, 12))
    kept = load_checkpoint(run.folder).run["steered"]
    assert [(one["step"], one["action"], one["rate"]) for one in kept] == [(4, "rate", 0.5)]
    assert "steered" not in load_checkpoint(session.folder).run


def test_a_run_that_was_asked_to_stop_is_saved_and_goes_on_at_the_rate_it_was_given(
    session: PretrainingSession,
) -> None:
    seen = steered(session, 5, "rate", "stop")
    assert [type(event) for event in seen[-4:]] == [Steered, Steered, Saved, Interrupted]
    assert load_checkpoint(session.folder).step == 6
    rest = steered(replace(session), 99, resume=True)
    first = next(event for event in rest if isinstance(event, Point))
    assert first.step == 6
    assert first.learning_rate > 0.05  # its own peak is .01
    marks = [json.loads(line) for line in session.log.path.read_text().splitlines()]
    assert [mark["action"] for mark in marks if mark["event"] == "steered"] == ["rate", "stop"]


def test_a_paused_run_takes_no_step_until_it_may_go_on(session: PretrainingSession) -> None:
    seen = steered(session, 2, "pause", "checkpoint", "resume")
    at = [index for index, event in enumerate(seen) if isinstance(event, Steered)]
    assert [seen[index].action for index in at] == ["pause", "checkpoint", "resume"]
    between = seen[at[0] : at[-1]]
    assert any(isinstance(event, Saved) and event.step == 3 for event in between)
    assert not any(isinstance(event, Point) for event in between)


def test_the_log_has_a_text_of_the_model_at_each_validation(session: PretrainingSession) -> None:
    steered(session, 99)
    lines = [json.loads(line) for line in session.log.path.read_text().splitlines()]
    at = {
        event: [line["step"] for line in lines if line["event"] == event]
        for event in ("validation", "sample")
    }
    assert at["sample"] == at["validation"] != []
    assert all(line["sample"] for line in lines if line["event"] == "sample")


def test_the_log_says_what_a_step_takes_of_the_machine(session: PretrainingSession) -> None:
    steered(session, 99)
    lines = [json.loads(line) for line in session.log.path.read_text().splitlines()]
    (machine,) = (line for line in lines if line["event"] == "machine")
    assert (machine["device"], machine["processes"], machine["peak_flops"]) == ("cpu", 1, None)
    assert machine["flops_per_token"] == flops_per_token(session.recipe.shape)
    assert all(line["memory"] > 2**20 for line in lines if line["event"] == "point")
