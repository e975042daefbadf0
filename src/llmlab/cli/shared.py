"""What several commands share: arguments, and how they print."""

import json
from pathlib import Path
from typing import Annotated

import typer

from llmlab.method.json_values import json_value

ExperimentName = Annotated[
    str, typer.Argument(metavar="EXPERIMENT", help="Name of an experiment; see `llmlab status`.")
]
Scale = Annotated[
    str,
    typer.Option("--scale", "-s", metavar="SCALE", help="Budget to spend: smoke, laptop or gpu."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for another program to read.")]


def print_json(value: object) -> None:
    """Print JSON; dates as ISO text, NaN and infinities as null."""
    print(json.dumps(json_value(value), indent=2))


def shown(path: Path) -> Path:
    """The path relative to the working directory, if it is below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
