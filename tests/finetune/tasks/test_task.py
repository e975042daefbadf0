from llmlab.finetune.tasks.task import facts_task, subtraction_task


def test_no_subtraction_is_in_two_parts() -> None:
    task = subtraction_task(train_items=3000)
    prompts = [item.prompt for part in (task.train, task.validation, task.test) for item in part]
    assert len(task.train) == 3000
    assert len(set(prompts)) == len(prompts)


def test_every_fact_is_trained_and_graded_once() -> None:
    task = facts_task(count=64)
    assert len(task.train) == 64
    assert (*task.validation, *task.test) == tuple(task.train)
