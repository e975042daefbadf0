"""Errors of writing weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from llmlab.method.files import unwritable


@contextmanager
def writing_weights(path: Path) -> Iterator[None]:
    """Raise LabError as in `write_file` if `path` cannot be written."""
    try:
        yield
    except OSError as error:
        raise unwritable(path, error) from error
    except SafetensorError as error:  # what the disk says, wrapped
        raise unwritable(path, OSError(str(error))) from error
