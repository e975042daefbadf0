"""Curves from what trainers print: one line for a step, in the forms of well-known programs.

nanoGPT prints `iter 10: loss 2.31, time 9ms`, Megatron `iteration 10/ 500 | lm loss: 2.3E+00 |`,
torchtune `Step 10 | loss:2.31 lr:2e-05`, and the Trainer of transformers (axolotl, TRL) the
dictionary `{'loss': 2.31, 'epoch': 0.02}`, without a step.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from llmlab.finetune.curves.names import STEP_NAMES, WORDS, canonical
from llmlab.finetune.curves.readings import Omissions, Point, Readings, as_step, as_value
from llmlab.method.files import read_text

LONGEST = 1 << 12
"""Characters of a line; a step has a few hundred."""
EPOCHS = ("epoch", "epochs")
STEPS = (*(name for name in STEP_NAMES if name not in EPOCHS), "batch")
KINDS = ("step", "epoch", "progress")
"""What is taken for the step, the best first."""
SUMMARY = "train_runtime"
"""In what the Trainer prints at its end: the mean loss over the whole run, beside its speed."""
COLOUR = re.compile(r"\x1b\[[\d;]*[A-Za-z]")
DICTIONARY = re.compile(r"\{\s*['\"].*\}")
"""What the Trainer prints, beside a bar of progress."""
VALIDATED = re.compile(r"validation loss at (iteration \d+)[^|]*\| *lm loss value")
"""How Megatron names a validation loss."""
_SEPARATOR = r"['\"]?\s*[:=]?\s*['\"]?"
_WHOLE = r"(\d{1,3}(?:,\d{3})+|\d+)(?![\w.])"
STEP = re.compile(
    rf"(?<![\w/])(?<!per )({'|'.join(sorted((*STEPS, *EPOCHS), key=len, reverse=True))})"
    + _SEPARATOR
    + _WHOLE,
    re.IGNORECASE,
)
PROGRESS = re.compile(r"(?<![\d/.:-])(\d+)\s*/\s*\d+(?![\d/.:-])")
"""The step of a line that names none, as `10/500`."""
HEADING = re.compile(rf"\W*{STEP.pattern}\s*(/\s*\d+)?\W*", re.IGNORECASE)
"""A line with a step alone; its values stand below, as Keras prints them."""
NAMED = re.compile("loss|norm", re.IGNORECASE)
"""In every name of a curve that is read; to look for it is fast."""
_WORD = r"[A-Za-z_][\w/.-]*"
VALUE = re.compile(
    rf"(?<![\w/.-])({_WORD}(?: {_WORD}){{0,2}})"
    + _SEPARATOR
    + r"([-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|nan|inf(?:inity)?))(?![\w%]|\.\d)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Line:
    """A line with a step or values.

    Attributes:
        steps: the number after a step's name, after an epoch's, or before a total, by `KINDS`.
        values: by the names that they have there.
    """

    place: str
    steps: Mapping[str, int]
    values: Mapping[str, float]


def read_printed(file: Path) -> Readings:
    """The losses and gradient norms in printed lines.

    A line without a step belongs to the last one that was printed. If none ever is, each line
    counts as one.

    Raises:
        LabError: the file is not UTF-8.
    """
    left_out = Omissions()
    lines = list(_lines(read_text(file), left_out))
    if not any(line.values for line in lines):
        return Readings({}, left_out.notes())
    kind = next((kind for kind in KINDS if any(kind in line.steps for line in lines)), None)
    points = _by_step(lines, kind, left_out) if kind else _numbered(lines)
    notes = ["only losses and gradient norms are read from printed lines"]
    if kind is None:
        notes.append("no step is printed beside them: each line counts as one")
    return Readings({file.name: list(points)}, (*notes, *left_out.notes()))


def _lines(text: str, left_out: Omissions) -> Iterator[Line]:
    for number, raw in enumerate(text.split("\n"), start=1):
        place = f"line {number}"
        if len(raw) > LONGEST:
            left_out.add(f"a line of more than {LONGEST} characters", place)
            continue
        line = _read(COLOUR.sub("", raw), place)
        if line.steps or line.values:
            yield line


def _read(text: str, place: str) -> Line:
    dictionary = DICTIONARY.search(text)
    said = VALIDATED.sub(r"\1 | validation loss", dictionary[0] if dictionary else text)
    pairs = VALUE.findall(said) if NAMED.search(said) and SUMMARY not in said else ()
    values = {name: as_value(value) for name, value in pairs if canonical(name) in WORDS}
    if not values and not HEADING.fullmatch(said):
        return Line(place, {}, {})
    named = {name.lower(): _whole(step) for name, step in STEP.findall(said)}
    steps = {
        "step": next((named[name] for name in STEPS if name in named), None),
        "epoch": next((named[name] for name in EPOCHS if name in named), None),
        "progress": _whole(bar[1]) if (bar := PROGRESS.search(said)) else None,
    }
    return Line(place, {kind: step for kind, step in steps.items() if step is not None}, values)


def _whole(number: str) -> int | None:
    return as_step(number.replace(",", ""))


def _numbered(lines: Iterable[Line]) -> Iterator[Point]:
    """A step begins where a curve has its second value since the last one began."""
    number, known = 1, set()
    for line in lines:
        if known & line.values.keys():
            number, known = number + 1, set()
        known |= line.values.keys()
        for name, value in line.values.items():
            yield name, number, value


def _by_step(lines: Iterable[Line], kind: str, left_out: Omissions) -> Iterator[Point]:
    current = None
    for line in lines:
        other = "progress" if kind == "step" else kind  # some lines name it, others show a bar
        current = line.steps.get(kind, line.steps.get(other, current))
        for name, value in line.values.items():
            if current is None:
                left_out.add("a value before the first step", line.place, name)
            else:
                yield name, current, value
