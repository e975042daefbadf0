"""The trials of pretraining experiments: a run, and what is observed along the way."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from llmlab.gpt.pretraining import Pretraining, PretrainingRecipe
from llmlab.gpt.study.measures import Log, Observer
from llmlab.gpt.text.encoded_corpus import EncodedCorpus
from llmlab.gpt.training import Point
from llmlab.method.declare.experiment import Outcome


@dataclass(frozen=True)
class Study:
    """One trial: a run and its observer.

    Attributes:
        observe: makes the observer of the run.
        n_points: points of each curve, about.
    """

    recipe: PretrainingRecipe
    encoded: EncodedCorpus
    observe: Callable[[Pretraining, EncodedCorpus, Log], Observer] = Observer
    n_points: int = 50

    def run(self) -> Outcome:
        """Train the model to its end."""
        started = StudiedRun(self)
        for _ in started.points():
            pass
        return started.outcome()


@dataclass
class StudiedRun:
    """A study while it runs.

    Attributes:
        pretraining: the run, untrained until `points` are taken.
    """

    study: Study
    pretraining: Pretraining = field(init=False)

    def __post_init__(self) -> None:
        steps = self.study.recipe.train.steps
        self.pretraining = Pretraining(self.study.recipe, self.study.encoded.tokens)
        self._log = Log(steps, every=max(1, steps // self.study.n_points))
        self._observer = self.study.observe(self.pretraining, self.study.encoded, self._log)

    def points(self, points: Iterator[Point] | None = None) -> Iterator[Point]:
        """The steps of the run, watched; `points` as in `Pretraining.events`."""
        for event in self.pretraining.events(points):
            self._log.see(event)
            self._observer.see(event)
            if isinstance(event, Point):
                yield event

    def outcome(self) -> Outcome:
        """The row, the curves and the views of the finished run."""
        log = self._log
        return Outcome(
            metrics={
                **log.metrics(self.pretraining.model.n_parameters()),
                **self._observer.metrics(),
            },
            curves={**log.curves, **self._observer.curves()},
            views=dict(self._observer.views()),
            status=log.status,
            tokens=log.tokens,
        )
