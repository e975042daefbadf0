"""Episodes of a coder: a red program, what was answered, and what the judge said, step by step."""

from dataclasses import dataclass
from typing import Annotated

from matplotlib.figure import Figure
from pydantic import Field

from llmlab.book import style
from llmlab.book.views.drawing import draw_texts, first_lines, text_heights
from llmlab.book.views.kinds import NonEmptyList, View

Word = Annotated[str, Field(max_length=200)]
Text = Annotated[str, Field(max_length=20_000)]


@dataclass(frozen=True)
class Step:
    """A program and its verdict, and the answer that led to it; the first step has none."""

    code: Text
    outcome: Word
    said: Text = ""
    answer: Text = ""


@dataclass(frozen=True)
class Shown:
    """One episode."""

    koan: Word
    family: Word
    steps: NonEmptyList[Step]


@dataclass(frozen=True)
class Episodes(View):
    """What a coder did with each of some koans."""

    episodes: NonEmptyList[Shown]

    def draw(self, footer: str) -> Figure:
        """The first episode, its steps below each other."""
        episode = self.episodes[0]
        titles = [f"{episode.koan}: {step.outcome}" for step in episode.steps]
        texts = [first_lines(_told(step)) for step in episode.steps]
        figure = style.empty(sum(text_heights(texts)) + 0.25)
        draw_texts(figure, titles, texts)
        style.sign(figure, footer)
        return figure


def _told(step: Step) -> str:
    answer = f"answer\n{step.answer}\n\n" if step.answer else ""
    return f"{answer}{step.code}\n{step.said}"


KIND = Episodes
