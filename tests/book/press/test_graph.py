"""The graph of the book, which every build waits for."""

import subprocess
import sys

DRAWING = "{'matplotlib', 'pandas', 'scipy'}"


def test_graph_loads_no_drawing_or_table_library() -> None:
    script = f"import sys, llmlab.book.press.graph; print(sorted({DRAWING} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
