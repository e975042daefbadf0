"""How programs that share a process are run, and what they print.

The process announces each case and prints its value on a line after a mark. The expected values
stay with the judge, so a program has nothing to imitate but the right values.
"""

import itertools
import re
import secrets
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from llmlab.sleep.koans.koan import Case
from llmlab.sleep.koans.verdict import Seen, Verdict
from llmlab.sleep.sandbox.process import Ran

RAISED = re.compile(r"raised (\d+) (\w+) (.*)")
CASE = re.compile(r"(\d+) (\d+) (?:(\?)|= (.*))")
OUT_OF_TIME = (-signal.SIGXCPU, 128 + signal.SIGXCPU)


@dataclass
class Told:
    """What a process reported about one program.

    Attributes:
        values: by the number of the case, the first one reported.
        raised: line, kind and message of its first panic or exception.
    """

    values: dict[int, str] = field(default_factory=dict)
    raised: tuple[int, str, str] | None = None


def run_in_turn(
    cases: Mapping[int, Sequence[Case]], start: Callable[[str, int], Ran]
) -> dict[int, Seen]:
    """Run programs in the order of their numbers.

    Args:
        cases: of each program.
        start: runs all programs from a number on in one process, given a mark for its lines.
    """
    seen: dict[int, Seen] = {}
    left = sorted(cases)
    while left:
        mark = secrets.token_hex(8)
        ran = start(mark, left[0])
        told = read_lines(ran.stdout, mark)
        last = max((number for number in told if number in cases), default=left[0])
        is_whole = ran.code == 0 and not ran.stopped and last == left[-1]
        done = left if is_whole else [number for number in left if number <= last]
        for number in done:
            seen[number] = _seen(cases[number], told.get(number, Told()), ran)
        left = left[len(done) :]
    return seen


def read_lines(stdout: str, mark: str) -> dict[int, Told]:
    """What the lines with the mark say, by program; all else is the programs' own output."""
    told: dict[int, Told] = {}
    current = -1
    for text in stdout.split("\n"):
        _, _, rest = text.partition(f"{mark} ")
        if match := CASE.fullmatch(rest):
            current, case, value = int(match[1]), int(match[2]), match[4]
            so_far = told.setdefault(current, Told())
            if value is not None:
                so_far.values.setdefault(case, value)
        elif (match := RAISED.fullmatch(rest)) and current in told:
            told[current].raised = told[current].raised or (int(match[1]), match[2], match[3])
    return told


def _seen(cases: Sequence[Case], told: Told, ran: Ran) -> Seen:
    numbers = itertools.takewhile(told.values.__contains__, range(len(cases)))
    values = tuple(told.values[number] for number in numbers)
    return Seen(values, None if len(values) == len(cases) else _failure(told, ran))


def _failure(told: Told, ran: Ran) -> Verdict:
    if told.raised:
        line, kind, message = told.raised
        return Verdict("test", kind, line, message)
    if ran.stopped or ran.code in OUT_OF_TIME:
        reason = ran.stopped or "time"
        return Verdict("limit", reason, 0, f"it reached its limit of {reason}")
    return Verdict("crash", "exit", 0, f"it ended its process (status {ran.code})")
