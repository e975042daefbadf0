"""All methods by which one coder comes out of a night."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from llmlab.sleep.coder.coder import Coder
from llmlab.sleep.night.adapters import with_deltas
from llmlab.sleep.night.nights import Method, Night, sleep
from llmlab.sleep.night.osf import osf
from llmlab.sleep.repair.episodes import Episode

OTHERS: Mapping[str, Method] = {"osf": osf}
"""Methods beyond those that `sleep_methods` compares."""


def spend_night(coder: Coder, episodes: Sequence[Episode], method: str, night: Night) -> Coder:
    """The coder after the night; errors as `sleep`."""
    if method not in OTHERS:
        return sleep(coder, episodes, method, night)
    return replace(coder, model=with_deltas(coder.model, OTHERS[method](coder, episodes, night)))
