"""A coder with weights for each family of bugs, in a folder, and as a client of the loop.

Shapes in names: F families, D width of the residual stream, N programs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor

from llmlab.method.documents import in_one_line
from llmlab.method.errors import LabError
from llmlab.sleep.coder.coder import Coder, load_coder, save_coder
from llmlab.sleep.koans.koan import Language
from llmlab.sleep.night.adapters import with_deltas
from llmlab.sleep.night.methods import FAMILIES
from llmlab.sleep.night.nights import Tasks
from llmlab.sleep.night.routing import embedded, learned_router
from llmlab.sleep.night.stream import Skills
from llmlab.sleep.repair.task import Answer, Task

WEIGHT, BIAS = "weight", "bias"


@dataclass(frozen=True)
class FamilyCoder:
    """Answers each program with the weights of its family, which is told or else guessed.

    Attributes:
        skills: what is added to the base's weights, by family in alphabetical order.
        weight_FD, bias_F: W and b of the guess: the family whose W·x + b is largest, where x (D,)
            is the base's state after the question.
    """

    base: Coder
    skills: Skills
    weight_FD: Tensor
    bias_F: Tensor

    @property
    def name(self) -> str:
        return self.base.name

    @property
    def language(self) -> Language:
        return self.base.language

    def answer(self, tasks: Sequence[Task], turn: int) -> list[Answer]:
        answers: dict[int, Answer] = {}
        families = self.families(tasks)
        for family in dict.fromkeys(families):
            chosen = [at for at, each in enumerate(families) if each == family]
            able = replace(self.base, model=with_deltas(self.base.model, self.skills[family]))
            found = able.answer([tasks[at] for at in chosen], turn)
            answers |= dict(zip(chosen, found, strict=True))
        return [answers[at] for at in range(len(tasks))]

    def families(self, tasks: Sequence[Task]) -> list[str]:
        """Whose weights answer each task."""
        names = list(self.skills)
        state_ND = embedded(self.base, tasks)
        guesses = (state_ND @ self.weight_FD.T + self.bias_F).argmax(dim=1).tolist()
        return [
            task.family if task.family in names else names[guess]
            for task, guess in zip(tasks, guesses, strict=True)
        ]


def family_coder(base: Coder, skills: Skills, lessons: Tasks) -> FamilyCoder:
    """A coder with these weights, whose guess is learned from the lessons of the families."""
    ordered = {family: skills[family] for family in sorted(skills)}
    return FamilyCoder(base, ordered, *_guess(base, lessons))


def _guess(base: Coder, lessons: Tasks) -> tuple[Tensor, Tensor]:
    """W and b of a router, its scaling included."""
    if len(lessons) == 1:  # nothing to tell apart
        return torch.zeros(1, base.model.config.d_model), torch.zeros(1)
    scaler, regression = learned_router(base, lessons).classifier
    weight_FD = regression.coef_ / scaler.scale_
    bias_F = regression.intercept_ - weight_FD @ scaler.mean_
    if len(lessons) == 2:  # one row, whose sign decides
        weight_FD, bias_F = np.concatenate([-weight_FD, weight_FD]), np.append(-bias_F, bias_F)
    return torch.tensor(weight_FD).float().contiguous(), torch.tensor(bias_F).float()


def save_family_coder(coder: FamilyCoder, folder: Path) -> None:
    """Write the base into `folder`, and beside it what is added for each family."""
    save_coder(coder.base, folder)
    tensors = {
        f"{family}|{path}": delta_OI.contiguous()
        for family, changes in coder.skills.items()
        for path, delta_OI in changes.items()
    }
    save_file({**tensors, WEIGHT: coder.weight_FD, BIAS: coder.bias_F}, folder / FAMILIES)


def load_family_coder(folder: Path) -> FamilyCoder:
    """The coder that `save_family_coder` left in `folder`.

    Raises:
        LabError: there is none, or it is damaged.
    """
    base = load_coder(folder)
    try:
        tensors = load((folder / FAMILIES).read_bytes())
        router = tensors.pop(WEIGHT), tensors.pop(BIAS)
        skills: dict[str, dict[str, Tensor]] = {}
        for key in sorted(tensors):
            family, path = key.split("|")
            skills.setdefault(family, {})[path] = tensors[key]
            if base.model.get_submodule(path).weight.shape != tensors[key].shape:
                raise ValueError(f"{key} has another shape than the base")
    except (OSError, SafetensorError, KeyError, ValueError, AttributeError, RuntimeError) as error:
        raise LabError(
            f"{folder / FAMILIES} is damaged ({in_one_line(error)}): train it again with "
            "`llmlab sleep train`."
        ) from error
    return FamilyCoder(base, skills, *router)
