"""Execute a chapter once, into a notebook that depends only on the chapter."""

import os
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from llmlab.book.press.notebooks import (
    code_cells,
    is_image,
    is_of_figure,
    read_script,
    write_notebook,
)
from llmlab.book.vectors import slim
from llmlab.method.errors import LabError

CELL_SECONDS = 600
"""Time limit for one cell."""

KERNEL_OPTIONS = (
    "--log-level=40",  # errors only
    # vector images: sharp at every size, a third of the size of a PNG, identical on every run
    "--InlineBackend.figure_formats=svg",
    "--InlineBackend.rc={'svg.hashsalt': 'llmlab'}",
    "--InlineBackend.print_figure_kwargs={'bbox_inches': 'tight', 'facecolor': 'white',"
    " 'dpi': 200, 'metadata': {'Date': None, 'Creator': None}}",
)
TWINS = ("text/plain", "text/html")
"""Forms that IPython adds to a richer output; Quarto would show them, or load scripts for them."""

SVG = "image/svg+xml"
RICH = ("text/markdown", "image/png", SVG)
_ADDRESS = re.compile(r"<.* at 0x[0-9a-f]+>")


class _ThisPython(AsyncKernelManager):
    """A kernel of the running interpreter, independent of kernels registered on the machine."""

    @property
    def kernel_spec(self) -> KernelSpec:
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(
            argv=[*command, *KERNEL_OPTIONS], display_name="Python", language="python"
        )


def execute_chapter(source: Path, out: Path, root: Path) -> tuple[str, ...]:
    """Execute the percent script `source` in the folder `root` and write the notebook `out`.

    The output is identical on every run, as long as the chapter itself is deterministic.

    Returns:
        The chapter's output to standard error by cell, which stays out of the book.

    Raises:
        LabError: a cell raised, took longer than `CELL_SECONDS`, or its kernel died.
    """
    notebook = read_script(source, str(source.relative_to(root)))
    cells = code_cells(notebook)
    if cells:
        _run(notebook, source.relative_to(root), root)
    complaints = tuple(_complaints(notebook))
    for cell in cells:
        _tidy(cell)
    write_notebook(notebook, out)
    return complaints


def first_line(cell: NotebookNode) -> str:
    """The first line of a cell that is neither an option nor empty."""
    lines = (line.strip() for line in cell.source.splitlines())
    return next((line for line in lines if line and not line.startswith("#|")), "")


def _run(notebook: NotebookNode, name: Path, root: Path) -> None:
    client = NotebookClient(
        notebook,
        kernel_manager_class=_ThisPython,
        timeout=CELL_SECONDS,
        resources={"metadata": {"path": str(root)}},
    )
    with TemporaryDirectory() as folder:
        _run_in(client, notebook, name, _environment(folder))


def _environment(folder: str) -> dict[str, str]:
    """This process's environment without the user's settings for IPython and Matplotlib.

    Args:
        folder: an empty folder in which IPython looks for a profile.
    """
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONSTARTUP"}
    return {
        **kept,
        "IPYTHONDIR": folder,
        "MATPLOTLIBRC": _matplotlib_defaults(),
        "PYTHONHASHSEED": "0",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        # tqdm warns on import of transformers that widgets are missing; chapters need none
        "PYTHONWARNINGS": "ignore:IProgress not found",
    }


def _matplotlib_defaults() -> str:
    """The path of Matplotlib's default settings, found without importing it."""
    package = find_spec("matplotlib")
    (place,) = package.submodule_search_locations
    return str(Path(place, "mpl-data", "matplotlibrc"))


def _run_in(
    client: NotebookClient, notebook: NotebookNode, name: Path, environment: Mapping[str, str]
) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            client.execute(env=dict(environment))
    except CellExecutionError as error:
        what = "" if error.ename == LabError.__name__ else f" raised {error.ename}"
        said = " ".join(error.evalue.split())
        raise LabError(f"{_where(notebook, name)}{what}: {said}") from None
    except CellTimeoutError:
        raise LabError(
            f"{_where(notebook, name)} took longer than {CELL_SECONDS} s; "
            "move the work into an experiment, since a chapter only reads tables."
        ) from None
    except DeadKernelError:
        raise LabError(
            f"{_where(notebook, name)} killed its Python process; run `python {name}` to see why."
        ) from None


def _where(notebook: NotebookNode, name: Path) -> str:
    """Chapter, and number and first line of the cell that ran last."""
    ran = [n for n, cell in enumerate(notebook.cells, 1) if "execution" in cell.metadata]
    if not ran:
        return str(name)
    return f"{name}, cell {ran[-1]} (`{first_line(notebook.cells[ran[-1] - 1])}`)"


def _complaints(notebook: NotebookNode) -> Iterator[str]:
    for number, cell in enumerate(notebook.cells, 1):
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and output.name == "stderr":
                yield f"cell {number} (`{first_line(cell)}`): {output.text.strip()}"


def _tidy(cell: NotebookNode) -> None:
    """Remove counters, standard error and poorer forms of richer outputs."""
    cell.execution_count = None
    outputs = [output for output in cell.outputs if not _is_noise(output, is_of_figure(cell))]
    for output in outputs:
        _tidy_output(output)
    # IPython shows a figure twice if it is still open when its cell returns it
    shown = [output.get("data") for output in outputs]
    cell.outputs = [
        output
        for n, output in enumerate(outputs)
        if not is_image(output) or output.data not in shown[:n]
    ]


def _is_noise(output: NotebookNode, of_figure: bool) -> bool:
    """Whether an output is standard error, an object's address, or a plotting call's result."""
    if output.output_type == "stream":
        return output.name == "stderr"
    data = output.get("data", {})
    return set(data) == {"text/plain"} and (of_figure or bool(_ADDRESS.search(data["text/plain"])))


def _tidy_output(output: NotebookNode) -> None:
    if "execution_count" in output:
        output.execution_count = None
    data = output.get("data", {})
    if SVG in data:
        data[SVG] = slim(data[SVG])
    if any(kind in data for kind in RICH):
        for twin in TWINS:
            data.pop(twin, None)
    elif "text/plain" in data:
        data.pop("text/html", None)
