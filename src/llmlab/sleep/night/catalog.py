"""All methods of a night; `methods` explains each in words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from llmlab.method.declare.catalog import suggestion
from llmlab.method.errors import LabError
from llmlab.sleep.coder.coder import Coder
from llmlab.sleep.night.adapters import with_deltas
from llmlab.sleep.night.cycles import unjudged
from llmlab.sleep.night.families import FamilyCoder, family_coder
from llmlab.sleep.night.lessons import naive
from llmlab.sleep.night.methods import BY_FAMILY, ONE_CODER
from llmlab.sleep.night.nights import METHODS, Method, Night, separate, single
from llmlab.sleep.night.osf import osf
from llmlab.sleep.night.skills import SHARE_METHODS, Stream, in_random_order
from llmlab.sleep.night.stream import Skills
from llmlab.sleep.repair.episodes import Episode

NIGHTS: Mapping[str, Method] = {**METHODS, "osf": osf, "unjudged": single(unjudged)}
SKILLS: Mapping[str, Callable[[Stream], Skills]] = {
    **{name: learn for name, learn in SHARE_METHODS.items() if name in BY_FAMILY},
    "routing": SHARE_METHODS["separate"],
}
TRAINED_ONCE = {"routing", "share-projected", "random-projected", "null"}
"""Methods that train once for each family; the others of `SKILLS` train twice."""


def spend_night(
    coder: Coder, episodes: Sequence[Episode], method: str, night: Night
) -> Coder | FamilyCoder:
    """The coder after the night.

    Args:
        night: its steps are divided among all trainings.

    Raises:
        LabError: there is no such method, or the day has nothing to learn from.
    """
    if method in SKILLS:
        return _by_family(coder, episodes, method, night)
    if method in NIGHTS:
        changes = NIGHTS[method](coder, episodes, night)
        return replace(coder, model=with_deltas(coder.model, changes))
    known = [*ONE_CODER, *BY_FAMILY]
    raise LabError(
        f"there is no method '{method}'{suggestion(method, known)}: choose one of "
        f"{', '.join(known)}."
    )


def _by_family(coder: Coder, episodes: Sequence[Episode], method: str, night: Night) -> FamilyCoder:
    """Weights for each family of the day, learned from the references of all its episodes."""
    order = in_random_order(tuple(sorted({each.family for each in episodes})), night.seed)
    lessons = {
        family: naive([each for each in episodes if each.family == family], night.seed)
        for family in order
    }
    trainings = len(lessons) * (1 if method in TRAINED_ONCE else 2)
    each = replace(night, steps=max(1, night.steps // trainings))
    stream = Stream(coder, lessons, separate(coder, lessons, each), each)
    return family_coder(coder, SKILLS[method](stream), lessons)
