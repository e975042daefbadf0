"""Full fine-tuning of many copies of one base model at once."""

from collections.abc import Sequence

from llmlab.finetune.model.base_model import load_base_model
from llmlab.finetune.study.tuning import Tuned, Tuning, graded
from llmlab.finetune.tasks.batches import encode, epochs
from llmlab.gpt.study.stacked import StackedTrainer, take_in_turn
from llmlab.gpt.training import History, Trainer, best_device


def fine_tune_models(tunings: Sequence[Tuning]) -> list[Tuned]:
    """What `fine_tune` gives for each of K runs that `can_stack` together and train all weights."""
    trainers = [_trainer(tuning) for tuning in tunings]
    sequences = encode(tunings[0].task.train).to(best_device())
    stack = StackedTrainer(
        trainers, [epochs(sequences, tuning.batch_size, tuning.seed) for tuning in tunings]
    )
    taken = take_in_turn([stack.points(job) for job in range(len(tunings))])
    return [
        graded(trainer.model, History.of(points, tuning.config), tuning)
        for trainer, points, tuning in zip(trainers, taken, tunings, strict=True)
    ]


def _trainer(tuning: Tuning) -> Trainer:
    device = best_device()
    model = tuning.method.adapt(load_base_model(tuning.base, device), tuning.seed)
    return Trainer(model.to(device), tuning.config)
