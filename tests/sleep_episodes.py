"""An episode to start from: a small Python program with a wrong name, and nobody's answers yet."""

from llmlab.sleep.repair.episodes import Episode

EPISODE = Episode(
    id="0",
    run="r",
    koan="k",
    family="names",
    language="python",
    template="",
    model="m",
    sandbox="none",
    start="def draw(cost):\n    return total\n",
    solution="def draw(cost):\n    return cost\n",
    start_outcome="test",
    start_error="NameError",
    start_line=2,
    start_said="",
    turns=(),
)


def episode_with(**changes: object) -> Episode:
    """The same episode but for these fields."""
    return EPISODE.model_copy(update=changes)
