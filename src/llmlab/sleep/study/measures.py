"""What experiments on nights measure: columns that several of them share. Imports no torch."""

from dataclasses import replace

from llmlab.method.declare.experiment import Metric, Subject

KOANS = "generated koans in Python, of unseen templates"
CODER_WITH_LORA = Subject("the book's small coder with LoRA", KOANS)
"""What verdicts on nights hold for."""


def share_of(name: str, what: str, direction: str = "higher") -> Metric:
    return Metric(name, what, "share", direction, tolerance=0.1)


def change_of(name: str, what: str) -> Metric:
    return replace(share_of(name, what), is_change=True)


EXAM_METRICS = (
    share_of("pass_rate", "Koans that one answer turns green after the night."),
    change_of("gain", "Pass rate after the night minus before."),
    share_of("gains", "Koans that are green only after the night."),
    share_of("regressions", "Koans that were green only before the night.", "lower"),
    change_of("taught_gain", "Gain on the families that the base was taught."),
    change_of("new_gain", "Gain on the families that the base was not taught."),
    Metric(
        "mcnemar_p", "p value of the exact McNemar test, before against after.", "1", tolerance=1.0
    ),
)
"""What `exams.beside` computes from the exams before and after a night."""
