"""Which trials of a sweep are trained together where there is a GPU: adapters on one frozen base,
or copies of it."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from llmlab.finetune.model.base_model import load_base_model
from llmlab.finetune.model.lora import LoraSpec
from llmlab.finetune.model.methods import Full
from llmlab.finetune.observe.memory import predict_memory
from llmlab.finetune.study.measures import outcome
from llmlab.finetune.study.stacked import fine_tune_stack
from llmlab.finetune.study.stacked_models import fine_tune_models
from llmlab.finetune.study.tuning import Tuning
from llmlab.finetune.tasks.batches import encode
from llmlab.gpt.training import available_memory, best_device
from llmlab.method.declare.experiment import Outcome, Trial
from llmlab.method.declare.sweep import Sweep

MEMORY_SHARE = 0.7
"""Share of the device's memory that a stack may plan with."""


def run_together(
    sweep: Sweep, trials: Sequence[Trial]
) -> Iterator[tuple[list[Trial], Callable[[], list[Outcome]]]]:
    """The trials in groups, each with the call that runs the whole group.

    Trials that can share a stack do; each of the others is a group of its own, run by `sweep.run`.
    """
    described = [(trial, sweep.describe(trial)) for trial in trials]
    for members in _groups(described):
        those = [trial for trial, _ in members]
        if len(members) == 1:
            yield those, lambda those=those: [sweep.run(those[0])]
        else:
            yield those, partial(_run_stack, [tuning for _, tuning in members])


def _run_stack(tunings: Sequence[Tuning]) -> list[Outcome]:
    train = fine_tune_models if type(tunings[0].method) is Full else fine_tune_stack
    return [outcome(tuned) for tuned in train(tunings)]


# Which runs go together

Described = tuple[Trial, Tuning]


def _groups(described: Sequence[Described]) -> Iterator[list[Described]]:
    """Runs that can share a stack, in stacks that fit into memory; then the others, one by one."""
    stacks: list[list[Described]] = []
    alone: list[list[Described]] = []
    for member in described:
        like = [stack for stack in stacks if can_stack(stack[0][1], member[1])]
        if like:
            like[0].append(member)
        else:
            (stacks if _is_stackable(member[1]) else alone).append([member])
    for stack in stacks:
        yield from _chunks(stack)
    yield from alone


def can_stack(first: Tuning, second: Tuning) -> bool:
    """Whether two runs train the same layers and differ in no more than adapter, seed, schedule,
    decay and clipping."""
    return (
        _is_stackable(first)
        and _is_stackable(second)
        and _shared_part(first) == _shared_part(second)
    )


def _is_stackable(tuning: Tuning) -> bool:
    return type(tuning.method) in (LoraSpec, Full) and tuning.config.accumulate == 1


def _shared_part(tuning: Tuning) -> Tuning:
    """`tuning` without what each run of a stack has for itself."""
    own_rates = {"learning_rate": 0.0, "warmup_share": 0.0, "final_share": 0.0}
    config = replace(tuning.config, **own_rates, weight_decay=0.0, clip=0.0, log_every=1)
    return replace(tuning, method=_shared_method(tuning.method), config=config, seed=0)


def _shared_method(method: LoraSpec | Full) -> LoraSpec | Full:
    if isinstance(method, Full):
        return method
    return LoraSpec(rank=1, alpha=1, target_modules=method.target_modules)


def _chunks(stack: Sequence[Described]) -> Iterator[list[Described]]:
    """As few parts as fit into the device's memory, of about equal size.

    The runs of a stack differ in no more that takes memory than the rank of their adapters.
    """
    room = MEMORY_SHARE * available_memory(best_device())
    largest = max((tuning for _, tuning in stack), key=_rank)
    most = max(1, int(room / memory_per_run(largest)))
    parts = math.ceil(len(stack) / most)
    yield from (list(stack[part::parts]) for part in range(parts))


def _rank(tuning: Tuning) -> int:
    """The rank of the adapter; 0 where all weights are trained."""
    return tuning.method.rank if isinstance(tuning.method, LoraSpec) else 0


def memory_per_run(tuning: Tuning) -> int:
    """Approximate number of bytes that one run adds to a stack.

    Half is added to its activations for what passes through; what is trained has its weights, their
    gradients and two moments, and three more numbers for each while it is updated.
    """
    model = load_base_model(tuning.base, best_device())
    shape = (tuning.batch_size, encode(tuning.task.train).tokens_NT.shape[1])
    parts = predict_memory(model, tuning.method, shape, tuning.config.precision)
    return int(1.5 * parts.activations) + 7 * parts.gradients
