import torch

from llmlab.finetune.model.base_model import new_base_model
from llmlab.finetune.tasks.skills import SKILLS
from llmlab.finetune.tasks.suites import suite_accuracies, suite_grades

CPU = torch.device("cpu")


def test_every_skill_has_an_accuracy_and_an_untrained_model_knows_little() -> None:
    model = new_base_model(d_model=16, n_layers=1, n_heads=2, context=32, seed=0)
    accuracies = suite_accuracies(model, 20, CPU)
    assert set(accuracies) == set(SKILLS)
    assert max(accuracies.values()) < 0.5


def test_grades_are_of_the_first_items() -> None:
    model = new_base_model(d_model=16, n_layers=1, n_heads=2, context=32, seed=0)
    grades = suite_grades(model, 20, CPU)
    assert {name: len(grade.correct) for name, grade in grades.items()} == dict.fromkeys(SKILLS, 20)
    assert {n: g.accuracy for n, g in grades.items()} == suite_accuracies(model, 20, CPU)
