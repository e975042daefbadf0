"""What several commands share: arguments, and how they print."""

from pathlib import Path
from typing import Annotated

import typer

ExperimentName = Annotated[
    str, typer.Argument(metavar="EXPERIMENT", help="Name of an experiment; see `llmlab status`.")
]
Scale = Annotated[
    str,
    typer.Option("--scale", "-s", metavar="SCALE", help="Budget to spend: smoke, laptop or gpu."),
]


def shown(path: Path) -> Path:
    """The path relative to the working directory, if it is below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
