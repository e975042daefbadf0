"""`llmlab sleep sandbox`: which sandbox this machine has, and how fast it is."""

import time
from dataclasses import dataclass

from llmlab.method.json_values import print_json
from llmlab.method.options import Json
from llmlab.sleep.koans.generated import generate
from llmlab.sleep.koans.judges import judge_koans
from llmlab.sleep.koans.koan import Language
from llmlab.sleep.koans.rust import compiler
from llmlab.sleep.sandbox.levels import strongest
from llmlab.sleep.sandbox.sandbox import Sandbox

PROGRAMS = 20
"""Programs that are judged to measure the rate."""


@dataclass(frozen=True)
class SandboxReport:
    """What `llmlab sleep sandbox` prints.

    Attributes:
        reasons: why stronger levels do not work here.
        per_second: programs compiled, run and judged, by language.
    """

    level: str
    isolates: bool
    reasons: tuple[str, ...]
    per_second: dict[str, float]


def show_sandbox(
    as_json: Json = False,
) -> None:
    """Show the sandbox for a model's code: its level, and programs judged per second."""
    best = strongest()
    sandbox = best.sandbox
    languages = ["python", *(["rust"] if compiler() else [])]
    report = SandboxReport(
        sandbox.level,
        sandbox.isolates,
        best.reasons,
        {language: _per_second(language, sandbox) for language in languages},
    )
    if as_json:
        print_json(report)
    else:
        print(_told(report))


def _per_second(language: Language, sandbox: Sandbox) -> float:
    koans = generate(language, "test", PROGRAMS, 0, store=None)
    began = time.monotonic()
    judge_koans(koans, [koan.solution for koan in koans], sandbox)
    return len(koans) / (time.monotonic() - began)


def _told(report: SandboxReport) -> str:
    walls = (
        f"Sandbox: {report.level}."
        if report.isolates
        else "There is no sandbox here: a model's code is refused without --allow-unsandboxed."
    )
    rates = ", ".join(f"{rate:.0f} {name}" for name, rate in report.per_second.items())
    return "\n".join([walls, *report.reasons, f"Programs judged per second: {rates}."])
