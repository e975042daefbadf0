from llmlab.finetune.model.base_model import new_base_model
from llmlab.finetune.study.base_model import WIDTH, learn_skills
from llmlab.finetune.tasks.skills import SKILLS
from llmlab.gpt.training import TrainConfig


def test_the_width_is_that_of_the_longest_item() -> None:
    items = [
        item for skill in SKILLS.values() for half in skill().__dict__.values() for item in half
    ]
    assert max(len(item.prompt + item.answer) for item in items) == WIDTH


def test_loss_falls_and_every_skill_is_graded_on_the_way() -> None:
    model = new_base_model(d_model=32, n_layers=1, n_heads=2, context=32, seed=0)
    shares = dict.fromkeys(SKILLS, 4)
    config = TrainConfig(learning_rate=5e-3, steps=30, log_every=1)
    learned = learn_skills(model, shares, config, seed=0, grade_every=20)
    losses = [point.loss for point in learned.history.points]
    assert losses[-1] < 0.7 * losses[0]
    assert {name: [step for step, _ in curve] for name, curve in learned.accuracies.items()} == {
        name: [0, 20, 29] for name in SKILLS
    }
