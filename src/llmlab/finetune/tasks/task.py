"""What the experiments fine-tune on: a skill that generalises, and facts that only memory holds."""

from collections.abc import Sequence
from dataclasses import dataclass

from llmlab.finetune.tasks.skills import Item, new_facts, subtraction

VALIDATION_ITEMS = 300


@dataclass(frozen=True)
class Task:
    """What a fine-tuning run learns from and is graded on."""

    train: Sequence[Item]
    validation: Sequence[Item]
    test: Sequence[Item]


def subtraction_task(train_items: int) -> Task:
    """Subtraction, learned from its first `train_items` problems; of 1,000 others 700 report."""
    new_skill = subtraction()
    return Task(
        train=new_skill.train[:train_items],
        validation=new_skill.test[:VALIDATION_ITEMS],
        test=new_skill.test[VALIDATION_ITEMS:],
    )


def facts_task(count: int) -> Task:
    """`count` random facts, all to be memorised: one half chooses the rate, the other reports."""
    facts = new_facts(count)
    half = count // 2
    return Task(train=facts, validation=facts[:half], test=facts[half:])
