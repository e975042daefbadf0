"""Texts that models generated, and the levels that distinguish them."""

from dataclasses import dataclass

from matplotlib.figure import Figure

from llmlab.book import style
from llmlab.book.views.drawing import (
    draw_texts,
    first_lines,
    label_text,
    spread,
    text_heights,
    words,
)
from llmlab.book.views.kinds import Int64, NonEmptyList, Number, View

MOST_SAMPLES = 5


@dataclass(frozen=True)
class Samples(View):
    """Generated texts: "text", optionally "prompt", and the levels that distinguish them."""

    samples: NonEmptyList[dict[str, str | Int64 | Number]]

    def __post_init__(self) -> None:
        if any(not isinstance(sample.get("text"), str) for sample in self.samples):
            raise ValueError("a sample has no text")

    @property
    def facets(self) -> list[str]:
        """The keys in which the samples differ, besides their text."""
        names = dict.fromkeys(name for sample in self.samples for name in sample)
        return [
            name
            for name in names
            if name not in ("text", "prompt")
            and len({sample.get(name) for sample in self.samples}) > 1
        ]

    def draw(self, footer: str) -> Figure:
        """Draw some of the samples, one below the other."""
        samples = spread(self.samples, MOST_SAMPLES)
        titles = [
            ", ".join(
                f"{words(name)} {label_text(str(sample.get(name, '–')))}" for name in self.facets
            )
            for sample in samples
        ]
        texts = [first_lines(f"{sample.get('prompt', '')}{sample['text']}") for sample in samples]
        figure = style.empty(sum(text_heights(texts)) + 0.25)
        draw_texts(figure, titles, texts)
        style.sign(figure, footer)
        return figure


KIND = Samples
