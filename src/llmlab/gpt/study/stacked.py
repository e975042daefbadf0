"""Many models of one shape trained at once, step by step, where a GPU has room for all of them.

The weights of K models are the rows of one matrix, and each step is one pass through all of them
(`torch.func.vmap`). Nothing is shared: each model has its own start, data, schedule, moments,
clipping and divergence, so that it gives what `Trainer` gives, within float tolerance.

Shapes in names: K models, P weights of one; else as in `model`.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from llmlab.gpt.model import GPTConfig, next_token_loss
from llmlab.gpt.pretraining import PretrainingRecipe
from llmlab.gpt.study.stacked_adamw import StackedAdamW
from llmlab.gpt.study.trials import StudiedRun, Study
from llmlab.gpt.training import Batch, Point, Trainer, learning_rate_at
from llmlab.method.declare.experiment import Outcome, Trial
from llmlab.method.declare.sweep import Sweep

MEMORY_SHARE = 0.7
"""Share of a GPU's free memory that a stack may plan with."""


# One step of all


class StackedTrainer:
    """K trainers that take their steps together.

    The model of each trainer is brought up to date when its point is taken, so that it can be
    looked at between two steps as if it were trained alone.
    """

    def __init__(self, trainers: Sequence[Trainer], streams: Sequence[Iterator[Batch]]) -> None:
        """Take over the models of trainers whose configurations differ in rates and limits alone.

        Args:
            streams: the batches of each.
        """
        self._trainers = trainers
        self._streams = streams
        self._configs = [trainer.config for trainer in trainers]
        self._layout = Layout(trainers[0])
        self.weights_KP = nn.Parameter(
            torch.stack([self._layout.flat(trainer.model) for trainer in trainers])
        )
        self._optimizer = StackedAdamW(self.weights_KP, self._configs, self._layout.decayed_P())
        self._rates_SK = torch.tensor(
            [
                [learning_rate_at(step, config) for config in self._configs]
                for step in range(self._configs[0].steps)
            ],
            device=self.weights_KP.device,
        )
        self._waiting: list[deque[Point]] = [deque() for _ in trainers]
        self._ended: set[int] = set()

    def points(self, job: int) -> Iterator[Point]:
        """The steps of one trainer, as `Trainer.points`; every job has to take its own in turn.

        Raises:
            RuntimeError: a job asks for a step before another has taken its last.
        """
        trainer = self._trainers[job]
        while trainer.step < trainer.config.steps:
            if not self._waiting[job]:
                self._advance()
            seen = self._waiting[job].popleft()
            if not seen.is_finite:
                self._ended.add(job)
                yield seen
                return
            self._layout.write(self.weights_KP[job], trainer.model)
            trainer.step += 1
            yield seen

    def _advance(self) -> None:
        if any(self._waiting):
            raise RuntimeError("one model of a stack is a step ahead of another")
        step = self._optimizer.steps
        batches = [next(stream) for stream in self._streams]
        inputs_KBT, targets_KBT = (torch.stack(part) for part in zip(*batches, strict=True))
        losses_K = self._losses(inputs_KBT, targets_KBT)
        (gradients_KP,) = torch.autograd.grad(losses_K.sum(), self.weights_KP)
        norms_K = self._optimizer.step(losses_K.detach(), gradients_KP, self._rates_SK[step])
        told_K3 = torch.stack([losses_K.detach(), norms_K, self._rates_SK[step]], dim=1)
        for job, (loss, norm, rate) in enumerate(told_K3.tolist()):
            if job not in self._ended:
                self._waiting[job].append(Point(step, inputs_KBT[0].numel(), loss, norm, rate))

    def _losses(self, inputs_KBT: Tensor, targets_KBT: Tensor) -> Tensor:
        """Each model's `next_token_loss`, shape [K]."""
        model = self._trainers[0].model.train()

        def loss(weights_P: Tensor, inputs_BT: Tensor, targets_BT: Tensor) -> Tensor:
            logits_BTV = functional_call(model, self._layout.views(weights_P), (inputs_BT,))
            return next_token_loss(logits_BTV, targets_BT)

        bfloat16 = self._configs[0].precision == "bfloat16"
        # Under vmap the fused kernels of CUDA fail in the backward pass: "LSE is not aligned".
        with (
            sdpa_kernel(SDPBackend.MATH),
            torch.autocast(inputs_KBT.device.type, torch.bfloat16, enabled=bfloat16),
        ):
            return vmap(loss)(self.weights_KP, inputs_KBT, targets_KBT)


class Layout:
    """Where the parameters of a model stand in one row of weights."""

    def __init__(self, trainer: Trainer) -> None:
        self._shapes = {
            name: parameter.shape for name, parameter in trainer.model.named_parameters()
        }
        decayed = {
            id(parameter)
            for group in trainer.optimizer.param_groups
            if group["weight_decay"] == trainer.config.weight_decay
            for parameter in group["params"]
        }
        self._is_decayed = [id(each) in decayed for each in trainer.model.parameters()]
        self._device = next(trainer.model.parameters()).device

    @property
    def _sizes(self) -> list[int]:
        return [math.prod(shape) for shape in self._shapes.values()]

    def flat(self, model: nn.Module) -> Tensor:
        """A copy of all parameters in a row, shape [P]."""
        return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])

    def views(self, weights_P: Tensor) -> dict[str, Tensor]:
        """The parameters by name, as views of a row."""
        pieces = weights_P.split(self._sizes)
        return {
            name: piece.view(shape)
            for (name, shape), piece in zip(self._shapes.items(), pieces, strict=True)
        }

    @torch.no_grad()
    def write(self, weights_P: Tensor, model: nn.Module) -> None:
        """Give a model the weights of a row."""
        torch._foreach_copy_(list(model.parameters()), list(self.views(weights_P).values()))

    def decayed_P(self) -> Tensor:
        """One where `make_optimizer` lets a weight decay, zero elsewhere."""
        parts = [
            torch.full((size,), float(is_decayed), device=self._device)
            for size, is_decayed in zip(self._sizes, self._is_decayed, strict=True)
        ]
        return torch.cat(parts)


# Runs of a sweep


def run_together(
    sweep: Sweep, trials: Sequence[Trial]
) -> Iterator[tuple[list[Trial], Callable[[], list[Outcome]]]]:
    """The trials in groups, each with the call that runs the group as a whole.

    Trials that can share a stack do; any other is a group of its own, run as `sweep.run` does.
    """
    described = [(trial, sweep.describe(trial)) for trial in trials]
    groups: list[list[tuple[Trial, Study]]] = []
    for trial, study in described:
        like = [group for group in groups if can_stack(group[0][1], study)]
        if like:
            like[0].append((trial, study))
        else:
            groups.append([(trial, study)])
    for group in groups:
        for part in _chunks(group):
            those = [trial for trial, _ in part]
            yield those, partial(run_studies, [study for _, study in part])


def run_studies(studies: Sequence[Study]) -> list[Outcome]:
    """What `Study.run` gives for each of studies that `can_stack` with each other."""
    if len(studies) == 1:
        return [studies[0].run()]
    runs = [StudiedRun(study) for study in studies]
    stack = StackedTrainer(
        [run.pretraining.trainer for run in runs], [run.pretraining.stream() for run in runs]
    )
    take_in_turn([run.points(stack.points(job)) for job, run in enumerate(runs)])
    return [run.outcome() for run in runs]


def take_in_turn(streams: Sequence[Iterator[Point]]) -> list[list[Point]]:
    """All points of each stream, one of each at a time."""
    taken: list[list[Point]] = [[] for _ in streams]
    left = list(zip(streams, taken, strict=True))
    while left:
        left = [(stream, points) for stream, points in left if _took(stream, points)]
    return taken


def _took(stream: Iterator[Point], points: list[Point]) -> bool:
    """Whether another point could be taken."""
    points += (more := list(islice(stream, 1)))
    return bool(more)


def can_stack(first: Study, second: Study) -> bool:
    """Whether two runs differ in no more than text, seed, schedule, betas, decay and clipping.

    Dropout draws for the whole stack at once, so a run with dropout is trained alone.
    """
    return _is_stackable(first.recipe) and _shared_part(first.recipe) == _shared_part(second.recipe)


def _is_stackable(recipe: PretrainingRecipe) -> bool:
    return recipe.shape.dropout == 0 and recipe.train.accumulate == 1 and not recipe.compiled


def _shared_part(recipe: PretrainingRecipe) -> PretrainingRecipe:
    """`recipe` without what each run of a stack has for itself."""
    own = {"learning_rate": 0.0, "warmup_share": 0.0, "final_share": 0.0, "betas": (0.0, 0.0)}
    train = replace(recipe.train, **own, weight_decay=0.0, clip=0.0, log_every=1)
    own = {"validation_share": 0.0, "validate_every": 1, "validation_tokens": None}
    return replace(recipe, train=train, seed=0, **own)


def _chunks(
    group: Sequence[tuple[Trial, Study]],
) -> Iterator[Sequence[tuple[Trial, Study]]]:
    """Parts of even size, as few as the GPU's memory allows; on a CPU one."""
    most = len(group)
    if torch.cuda.is_available():
        room = MEMORY_SHARE * torch.cuda.mem_get_info()[0]
        recipe = group[0][1].recipe
        most = max(1, int(room / memory_per_run(recipe.shape, recipe.batch_size)))
    parts = math.ceil(len(group) / most)
    yield from (group[part::parts] for part in range(parts))


def memory_per_run(shape: GPTConfig, batch_size: int) -> int:
    """Bytes that one run adds to a stack, about, in float32.

    Each weight has a gradient, two moments, two numbers while it is updated and its copy in the
    model that is looked at. A layer keeps 34 bytes for each of its inputs in 16 bits, twice that in
    32, and for each head its scores before and after the softmax (Korthikanti et al. 2022,
    2205.05198, section 4.1, without dropout); the logits and their gradients are 4 numbers each.
    """
    d = shape.d_model
    weights = shape.n_layers * 12 * d**2 + (shape.vocab_size + shape.context) * d
    tokens = batch_size * shape.context
    per_layer = 68 * d + 8 * shape.n_heads * shape.context
    return 7 * 4 * weights + tokens * (per_layer * shape.n_layers + 16 * shape.vocab_size)
