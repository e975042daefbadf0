"""Show a run on a terminal: scrolling log lines, and below them the GPUs and the progress."""

from collections.abc import Iterable

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from llmlab.cluster.show.events import (
    Event,
    GpuRow,
    GpuTable,
    Message,
    RunEnd,
    RunStart,
    Saved,
    Step,
    Validation,
)
from llmlab.cluster.show.formats import duration, said, short

STYLES = {
    RunStart: "bold cyan",
    Validation: "green",
    Saved: "blue",
    RunEnd: "bold green",
}
LEVEL_STYLES = {"INFO": "", "WARNING": "yellow", "ERROR": "bold red"}
TWO_NODES = 72
"""Fewest columns to show both nodes side by side."""
TABLE_LINES = 20
"""Fewest lines to show the table of GPUs."""
HOT_C = 75
"""Temperature in °C from which a GPU is highlighted."""


class Screen:
    """The log, and the live panel below it."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.table: GpuTable | None = None
        self.step: Step | None = None

    def show(self, events: Iterable[Event]) -> None:
        """Show events as they arrive; always restores the terminal at the end."""
        with Live(console=self.console, refresh_per_second=8) as live:
            for event in events:
                self._take(event)
                live.update(self._panel())

    def _take(self, event: Event) -> None:
        if isinstance(event, GpuTable):
            self.table = event
            return
        if isinstance(event, RunStart):
            self.step = None
        if isinstance(event, Step):
            self.step = event
            self.console.print(self._step_line(event), no_wrap=True, overflow="crop")
            return
        for line in said(event):
            self.console.print(Text(_source(event) + line, style=_style(event)), highlight=False)

    def _step_line(self, step: Step) -> Text:
        """The line of a step, with as many columns as fit, most important first."""
        cells = [
            (f"step {step.step:>{len(str(step.steps))}}", "cyan"),
            (f"loss {step.loss:7.4f}", "bold"),
            (f"lr {step.learning_rate:.2e}", ""),
            (f"grad {step.grad_norm:6.3f}", ""),
            (f"{short(step.tokens_per_s):>5} tok/s", ""),
            (f"MFU {100 * step.mfu:4.1f} %", ""),
            (f"{step.seconds:6.2f} s/step", "dim"),
            (f"{short(step.tokens_per_s_per_gpu):>5} tok/s/GPU", "dim"),
            (f"{short(step.tokens):>5} tokens", "dim"),
        ]
        line = Text()
        for words, style in cells:
            if line.cell_len + len(words) + 2 > self.console.width:
                break
            line.append("  " if line else "").append(words, style)
        return line

    def _panel(self) -> RenderableType:
        parts: list[RenderableType] = []
        if self.table and self.console.height >= TABLE_LINES:
            parts.append(self._gpus(self.table))
        if self.step:
            parts.append(self._progress(self.step))
        return Group(*parts, Text())  # an empty line for the ^C that a terminal echoes

    def _gpus(self, found: GpuTable) -> Table:
        nodes = sorted({row.node for row in found.rows})
        nodes = nodes if self.console.width >= TWO_NODES else nodes[:1]
        table = Table(box=None, padding=(0, 1), show_edge=False, header_style="dim")
        for node in nodes:
            table.add_column(f"node-{node:04d}", style="cyan", no_wrap=True)
            for name in ("util", "memory", "temp", "power"):
                table.add_column(name, justify="right", no_wrap=True)
        by_node = [[row for row in found.rows if row.node == node] for node in nodes]
        for rows in zip(*by_node, strict=False):
            table.add_row(*(cell for row in rows for cell in _cells(f"GPU {row.gpu}", row)))
        if found.rest:
            table.add_row(*_cells(f"{found.others} more", found.rest))
        return table

    def _progress(self, step: Step) -> RenderableType:
        words = (
            f"{step.step:,}/{step.steps:,}",
            f"{100 * step.step / step.steps:.1f} %",
            f"{duration(step.left_s)} left",
        )
        grid = Table.grid(padding=(0, 1))
        width = max(self.console.width - sum(map(len, words)) - 4, 8)
        bar = ProgressBar(step.steps, step.step, width=min(width, 60))
        grid.add_row(bar, *words)
        return grid


def _cells(name: str, row: GpuRow) -> list[Text]:
    return [
        Text(name),
        Text(f"{row.utilisation:.0f} %"),
        Text(f"{row.memory_gb:.1f} GB"),
        Text(f"{row.temperature_c:.0f} C", "yellow" if row.temperature_c >= HOT_C else ""),
        Text(f"{row.power_w:.0f} W"),
    ]


def _source(event: Event) -> str:
    return f"[{event.source}] " if isinstance(event, Message) else ""


def _style(event: Event) -> str:
    if isinstance(event, Message):
        return LEVEL_STYLES[event.level]
    return STYLES.get(type(event), "")
