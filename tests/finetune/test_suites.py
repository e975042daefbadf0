import torch

from llmlab.finetune.base import new_base
from llmlab.finetune.skills import SKILLS
from llmlab.finetune.suites import suite_accuracies

CPU = torch.device("cpu")


def test_every_skill_has_an_accuracy_and_an_untrained_model_knows_little() -> None:
    model = new_base(d_model=16, n_layers=1, n_heads=2, context=32, seed=0)
    accuracies = suite_accuracies(model, 20, CPU)
    assert set(accuracies) == set(SKILLS)
    assert max(accuracies.values()) < 0.5
