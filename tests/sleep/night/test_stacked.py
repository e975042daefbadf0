"""Adapters trained together are those trained one by one."""

import copy
from dataclasses import replace

import pytest
import torch
from sleep_tokens import TOKENS

from llmlab.gpt.model import IGNORE, GPTConfig
from llmlab.gpt.training import TrainConfig, train
from llmlab.method.errors import LabError
from llmlab.sleep.coder.coder import new_coder
from llmlab.sleep.coder.lessons import Lesson, lesson_batches
from llmlab.sleep.koans.verdict import Verdict
from llmlab.sleep.night import stacked
from llmlab.sleep.night.adapters import Factors, adapter_of
from llmlab.sleep.night.nights import Night, separate, trained_adapter
from llmlab.sleep.night.stacked import Job, in_stacks, joined, new_stack, train_stack
from llmlab.sleep.repair.task import Task

RED = Verdict("test", "NameError", 2, "")
NIGHT = Night(steps=12, learning_rate=3e-2, batch_size=4, rank=2, alpha=4.0, seed=3)
CONFIG = TrainConfig(NIGHT.learning_rate, NIGHT.steps, log_every=1)


def lesson(right, lines=0):
    code = "def draw(cost):\n" + "    cost += 1\n" * lines + "    return total\n"
    return Lesson(Task("python", code, RED), f"{lines + 2}|    return {right}")


TASKS = {
    "one": [lesson("cost")],
    "few": [lesson(str(number), lines=number) for number in range(3)],
    "many": [lesson(f"cost + {number}", lines=number % 5) for number in range(9)],
}


@pytest.fixture(scope="module")
def coder():
    return new_coder("python", TOKENS, GPTConfig(len(TOKENS.names), 96, 16, 2, 2), seed=0)


def start(number):
    return 1000 * NIGHT.seed + number


def batches(lessons):
    return lesson_batches(lessons, TOKENS, min(NIGHT.batch_size, len(lessons)), NIGHT.seed)


def jobs(coder):
    models = [NIGHT.spec.adapt(copy.deepcopy(coder.model), start(at)) for at in range(len(TASKS))]
    return [
        Job(batches(lessons), adapter_of(model))
        for lessons, model in zip(TASKS.values(), models, strict=True)
    ]


def losses_together(coder, found):
    stack = new_stack(coder.model, found, NIGHT.spec)
    return train_stack(stack, coder.model.head, found, CONFIG, TOKENS.pad).T


def losses_alone(coder, number, lessons):
    model = NIGHT.spec.adapt(copy.deepcopy(coder.model), start(number))
    return [point.loss for point in train(model, batches(lessons), CONFIG).points]


def assert_alike(one, other):
    assert list(one) == list(other)
    for path, factors in one.items():
        for name in ("b_OR", "a_RI"):
            expected = getattr(other[path], name)
            torch.testing.assert_close(getattr(factors, name), expected, rtol=1e-3, atol=1e-4)


def test_lessons_differ_in_rows_and_width():
    shapes = [next(batches(lessons))[0].shape for lessons in TASKS.values()]
    assert len({rows for rows, _ in shapes}) == len({width for _, width in shapes}) == 3


def test_losses_are_those_of_training_alone(coder):
    together = losses_together(coder, jobs(coder)).tolist()
    for number, lessons in enumerate(TASKS.values()):
        assert together[number] == pytest.approx(losses_alone(coder, number, lessons), rel=1e-4)
        assert together[number][-1] < 0.97 * together[number][0]


def test_adapters_are_those_of_training_alone(coder):
    together = separate(coder, TASKS, NIGHT)
    assert list(together) == list(TASKS)
    for number, (name, lessons) in enumerate(TASKS.items()):
        alone = trained_adapter(coder, lessons, NIGHT, NIGHT.steps, start(number))
        assert_alike(together[name], alone)


def test_adapters_that_share_a_start_are_those_of_training_alone(coder):
    together = separate(coder, TASKS, NIGHT, one_start=True)
    for name, lessons in TASKS.items():
        alone = trained_adapter(coder, lessons, NIGHT, NIGHT.steps, NIGHT.seed)
        assert_alike(together[name], alone)


def test_the_same_night_gives_the_same_bits_and_leaves_the_coder(coder):
    before = copy.deepcopy(coder.model.state_dict())
    first, second = (separate(coder, TASKS, NIGHT) for _ in range(2))
    for name, adapter in first.items():
        assert all(torch.equal(adapter[path].b_OR, second[name][path].b_OR) for path in adapter)
    assert all(torch.equal(before[at], each) for at, each in coder.model.state_dict().items())


def test_many_adapters_train_in_parts_that_change_nothing(coder, monkeypatch):
    whole = separate(coder, TASKS, NIGHT)
    monkeypatch.setitem(stacked.ROWS, "cpu", 2 * NIGHT.batch_size)
    parts = separate(coder, TASKS, NIGHT)
    for name, adapter in whole.items():
        assert_alike(parts[name], adapter)


@pytest.mark.parametrize("batch_size", [8, 1000])
def test_a_pass_has_no_more_rows_than_it_may_or_one_job(coder, batch_size):
    many = [Job(batches(TASKS["one"]), {}) for _ in range(51)]
    for kind, rows in stacked.ROWS.items():
        parts = in_stacks(many, batch_size, torch.device(kind))
        assert [job for part in parts for job in part] == many
        assert max(map(len, parts)) == max(1, min(51, rows // batch_size))


def test_rows_are_filled_up_with_what_does_not_count():
    small = (torch.tensor([[1, 2]]), torch.tensor([[IGNORE, 3]]))
    large = (torch.tensor([[4, 5, 6], [7, 8, 9]]), torch.tensor([[1, 1, 1], [2, 2, 2]]))
    inputs_MT, targets_MT = joined([small, large], pad=0)
    assert inputs_MT.tolist() == [[1, 2, 0], [0, 0, 0], [4, 5, 6], [7, 8, 9]]
    nothing = [IGNORE] * 3
    assert targets_MT.tolist() == [[IGNORE, 3, IGNORE], nothing, [1, 1, 1], [2, 2, 2]]


def exploding(job):
    return replace(job, start={p: Factors(f.b_OR, 1e30 * f.a_RI) for p, f in job.start.items()})


def test_an_adapter_that_diverges_disturbs_no_other(coder):
    calm = losses_together(coder, jobs(coder))
    first, second, third = jobs(coder)
    stormy = losses_together(coder, [first, exploding(second), third])
    assert stormy[1].isnan().all()
    torch.testing.assert_close(stormy[[0, 2]], calm[[0, 2]], rtol=0, atol=0)


def test_an_adapter_that_diverges_fails_the_night(coder):
    first, second, third = jobs(coder)
    with pytest.raises(LabError, match="diverged: take a lower learning rate"):
        stacked.trained_together(
            coder.model, [first, exploding(second), third], NIGHT.spec, CONFIG, TOKENS.pad
        )


def test_too_high_a_rate_is_said_as_for_one_adapter(coder):
    hasty = replace(NIGHT, learning_rate=1e30)
    with pytest.raises(LabError) as together:
        separate(coder, TASKS, hasty)
    with pytest.raises(LabError) as alone:
        trained_adapter(coder, TASKS["many"], hasty, hasty.steps, 0)
    assert str(together.value) == str(alone.value)


def test_a_family_without_lessons_is_said(coder):
    with pytest.raises(LabError, match="no episode for this method to learn from"):
        separate(coder, {**TASKS, "none": []}, NIGHT)
