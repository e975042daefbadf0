"""A fine-tuning run that somebody steers while it trains."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import torch

from llmlab.finetune.command.events import Interrupted, Step
from llmlab.finetune.command.opening import open_session
from llmlab.finetune.command.options import FinetuneOptions
from llmlab.runs.control import Request, ask


def test_a_run_follows_a_change_of_rate_and_a_stop_and_reports_both(
    made: Callable[[str], Path], tmp_path: Path, held: ExitStack
) -> None:
    options = FinetuneOptions(
        base=str(made("skilled")), rank=2, steps=6, batch_size=4, test_items=20
    )
    opened = held.enter_context(open_session(options, tmp_path / "run", torch.device("cpu")))
    session = replace(opened, config=replace(opened.config, suite_items=10))
    requests = {1: ("rate", 0.5), 3: ("stop", None)}
    rates = {}
    for event in session.events():
        if isinstance(event, Step):
            step, rates[event.point.step] = event.point.step, event.point.learning_rate
            if step in requests:
                action, rate = requests[step]
                ask(session.folder, Request(id=f"{step:016x}", action=action, rate=rate))
    assert isinstance(event, Interrupted)
    assert sorted(rates) == [0, 1, 2, 3]
    assert rates[1] < 0.05 < rates[2]
    report = json.loads((session.folder / "report.json").read_text())
    assert [(one["step"], one["action"]) for one in report["steered"]] == [(2, "rate"), (4, "stop")]
