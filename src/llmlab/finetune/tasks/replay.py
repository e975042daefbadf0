"""Old items: to grade on, and to train on beside new ones."""

import random
from collections.abc import Sequence

from llmlab.finetune.tasks.skills import SKILLS, Item
from llmlab.method.errors import LabError


def with_replay(new: Sequence[Item], share: float, seed: int) -> tuple[Item, ...]:
    """All new items, and so many old ones to train on that they are `share` of the whole.

    Old items are drawn from what the base model was trained on, equally from each skill.

    Raises:
        LabError: the share is not from 0 to below 1, or a skill has too few items.
    """
    if not 0 <= share < 1:
        raise LabError(f"a replay share of {share} leaves no new items: choose 0 to below 1.")
    n_old = round(len(new) * share / (1 - share))
    generator, old = random.Random(seed), []
    for index, (name, skill) in enumerate(SKILLS.items()):
        known = skill().train
        wanted = (n_old + index) // len(SKILLS)
        if wanted > len(known):
            raise LabError(
                f"replay wants {wanted} items of {name}, which has {len(known)} to train on: "
                "choose a smaller share or fewer new items."
            )
        old += generator.sample(known, wanted)
    return (*new, *old)
