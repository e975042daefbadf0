"""Routing: tells the family of a red program from the base's state after reading it.

Shapes in names: B batch, T tokens, D width of the residual stream, N programs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from llmlab.sleep.coder.coder import BATCH, Coder
from llmlab.sleep.night.nights import Tasks
from llmlab.sleep.repair.task import Task


@dataclass(frozen=True)
class Router:
    """A softmax regression on the base's state after a question, before it answers."""

    coder: Coder
    classifier: Pipeline

    def families(self, tasks: Sequence[Task]) -> list[str]:
        """The likeliest family of each program."""
        return list(self.classifier.predict(embedded(self.coder, tasks).numpy()))


def learned_router(coder: Coder, lessons: Tasks) -> Router:
    """A router that has seen the programs of the lessons, whose families are known."""
    tasks = [lesson.task for each in lessons.values() for lesson in each]
    families = [family for family, each in lessons.items() for _ in each]
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return Router(coder, classifier.fit(embedded(coder, tasks).numpy(), families))


@torch.inference_mode()
def embedded(coder: Coder, tasks: Sequence[Task]) -> Tensor:
    """The last layer's state at the last token of each question, [N, D]."""
    prompts = [coder.tokens.prompt(task) for task in tasks]
    parts = [prompts[start : start + BATCH] for start in range(0, len(prompts), BATCH)]
    return torch.cat([_last_states(coder, part) for part in parts])


def _last_states(coder: Coder, prompts: Sequence[list[int]]) -> Tensor:
    """Padding is on the right, where earlier tokens cannot see it."""
    width = max(map(len, prompts))
    tokens_BT = torch.tensor([ids + [coder.tokens.pad] * (width - len(ids)) for ids in prompts])
    coder.model.eval()
    state_BTD = coder.model.hidden(tokens_BT.to(coder.model.head.weight.device))
    last_B = torch.tensor([len(ids) - 1 for ids in prompts])
    return state_BTD[torch.arange(len(prompts)), last_B].cpu()
