"""Output and results of `llmlab market run` and `llmlab market search`."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from rich import box
from rich.table import Table

from llmlab.market.models.measures import measured
from llmlab.market.models.study import Answer
from llmlab.method.files import write_file
from llmlab.method.json_values import json_value
from llmlab.method.plain import plain_console

RESULT = "result.json"


def write_result(folder: Path, asked: Mapping[str, object], answers: Mapping[str, Answer]) -> Path:
    """Write the question and each model's scores; errors as in `write_file`."""
    found = {"asked": asked, "models": {name: as_row(one) for name, one in answers.items()}}
    path = folder / RESULT
    write_file(path, json.dumps(json_value(found), indent=2) + "\n")
    return path


def as_row(answer: Answer) -> dict[str, object]:
    """The scores of one model, and the shape and epochs of a transformer."""
    if answer.trained is None:
        return dict(measured(answer))
    return {
        **measured(answer),
        "shape": asdict(answer.trained.model.shape),
        "n_parameters": answer.trained.model.shape.n_parameters,
        "epochs": [asdict(epoch) for epoch in answer.trained.epochs],
    }


def print_answers(question: str, answers: Mapping[str, Answer]) -> None:
    """Print one row per model, and the meaning of the columns."""
    console = plain_console()
    one = next(iter(answers.values()))
    test_rate = float(one.parts.test.y_M.mean())
    console.print(
        f"{question}: {len(one.parts.train):,} training samples, "
        f"{len(one.parts.validation):,} validation samples, {len(one.parts.test):,} test days; "
        f"true on {one.base_rate:.1%} of the training days and {test_rate:.1%} of the test days."
    )
    table = Table("model", "log loss", "gain", "95 % interval", "Brier skill", box=box.SIMPLE)
    for name, answer in answers.items():
        row = measured(answer)
        ends = f"{row['gain_low']:+.4f} to {row['gain_high']:+.4f}"
        cells = (f"{row['log_loss']:.4f}", f"{row['gain']:+.4f}", ends)
        table.add_row(name, *cells, f"{row['brier_skill']:+.2%}")
    console.print(table)
    console.print(
        "The gain is in nats per day over the base rate of the training days; its interval comes "
        "from blocks of test days in this period alone."
    )
