"""The question in words, for models that read."""

from llmlab.sleep.koans.verdict import Verdict
from llmlab.sleep.repair.edits import shown
from llmlab.sleep.repair.task import Task

SYSTEM = (
    "You repair small {language} programs. Answer with the lines to replace and nothing else, "
    "each as NUMBER|NEW TEXT with its indentation. Change as few lines as you can. To put several "
    "lines in the place of one, repeat its number; to empty a line, write nothing behind the bar."
)
LONGEST_MESSAGE = 1000
"""Characters of a compiler's message that are shown."""


def messages(task: Task) -> list[dict[str, str]]:
    """The chat that asks for an edit."""
    asked = [{"role": "system", "content": SYSTEM.format(language=task.language.title())}]
    for example in task.examples:
        asked.append({"role": "user", "content": _question(example.code, example.verdict)})
        asked.append({"role": "assistant", "content": example.edit})
    help_lines = [f"Hint: {task.hint}."] if task.hint else []
    if task.complaint:
        help_lines.append(f"Your last answer was no edit: {task.complaint}.")
    question = "\n".join([_question(task.code, task.verdict), *help_lines])
    return [*asked, {"role": "user", "content": question}]


def _question(code: str, verdict: Verdict) -> str:
    return f"{shown(code)}\n\n{_said(verdict)}"


def _said(verdict: Verdict) -> str:
    place = f" in line {verdict.line}" if verdict.line else ""
    return f"Error{place}: {verdict.error}: {verdict.message[:LONGEST_MESSAGE]}"
