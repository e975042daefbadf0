"""Weights are written whole, or not at all."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from llmlab.method.files import require_empty, unwritable


@contextmanager
def writing_weights(path: Path) -> Iterator[None]:
    """Raise LabError as in `write_file` if `path` cannot be written."""
    try:
        yield
    except OSError as error:
        raise unwritable(path, error) from error
    except SafetensorError as error:  # what the disk says, wrapped
        raise unwritable(path, OSError(str(error))) from error


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of `folder` at the end, if no error occurs.

    Raises:
        LabError: `folder` holds something, or cannot be written to.
    """
    require_empty(folder)
    with writing_weights(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as aside:
            new = Path(aside, "new")
            new.mkdir()
            yield new
            require_empty(folder)  # another process may have written it since
            if folder.is_dir():
                folder.rmdir()
            new.rename(folder)
