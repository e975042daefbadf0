"""Bubblewrap with its own root and /dev sealed.

Both are tmpfs, which bubblewrap makes for the user who starts it. Root's commands run as another
user; without root they run as this one, who could fill the memory there, beyond every limit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llmlab.sleep.sandbox.bubblewrap import TOOLS, Bubblewrap, _as_nobody, _limited, _walls, moved
from llmlab.sleep.sandbox.process import Limits, Ran, run_limited
from llmlab.sleep.sandbox.sandbox import PATH, too_big

SEALS = ("--remount-ro", "/", "--remount-ro", "/dev")


@dataclass(frozen=True)
class SealedBubblewrap(Bubblewrap):
    """What a model's code gets; recorded tables know `Bubblewrap` itself, as it was."""

    def run(
        self,
        command: Sequence[str],
        folder: Path,
        limits: Limits,
        readable: Sequence[Path] = (),
    ) -> Ran:
        places = {path: TOOLS / str(number) for number, path in enumerate(readable)}
        walls = [*_walls(folder, limits, places), *SEALS]
        shown = [moved(command[0], places), *command[1:]]
        inside = [*walls, "--", *_as_nobody(folder), *_limited(limits), *shown]
        return run_limited(
            inside, folder, {"PATH": PATH}, limits, watch=lambda: too_big(folder, limits)
        )
