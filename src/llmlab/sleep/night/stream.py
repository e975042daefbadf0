"""Share on a stream of tasks: as in its paper, and as in its authors' code.

The paper (2602.06043, section 3) makes a basis of the first adapters; a new task trains a few
directions and coefficients beside it, which are merged: all adapters are rebuilt, a new basis is
made of them, and each is projected onto it. The authors' code (github.com/ankit-vaidya19/Share,
commit 2854311, folder NLU) differs in five ways, which `share_as_coded` keeps: its basis is of one
adapter; coefficients start from the previous task's; the added directions start at random, not in
the basis; what they learned enters the next basis, but not the coefficients; and only the task
before the newest is projected anew.

Every method answers each family with its own weights; the family of a program is known.
"""

import copy
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llmlab.sleep.coder.coder import Coder
from llmlab.sleep.coder.lessons import Lesson
from llmlab.sleep.night import share
from llmlab.sleep.night.adapters import Adapter, Deltas, Factors, deltas
from llmlab.sleep.night.bases import Bases, directions_for, rebuilt_factors, start_from
from llmlab.sleep.night.nights import Night, Tasks, learn
from llmlab.sleep.night.share import Basis, Shared

Skills = Mapping[str, Deltas]
"""What is added to the weights for programs of each family."""


@dataclass(frozen=True)
class ShareSpec:
    """How Share learns a spec.

    Attributes:
        n_first: adapters that the paper's first basis is made of.
        variance: share of it that the paper's basis holds.
        n_added: φ, directions that a task adds for itself.
        deviation: σ of the paper's fresh coefficients.
        n_coded: k of the authors' code, whatever the variance.
        haste: rate of coefficients that begin at zero, as a multiple of that of adapters.
    """

    n_first: int = 2
    variance: float = 0.6
    n_added: int = 2
    deviation: float = 0.3
    n_coded: int = 32
    haste: float = 3.0


SPEC = ShareSpec()


class Detour(nn.Module):
    """A frozen layer with a detour x → B·A·x whose factors are made of what is trained."""

    base: nn.Linear

    @abstractmethod
    def factors(self) -> Factors:
        """B and A."""

    def forward(self, x_BTI: Tensor) -> Tensor:
        made = self.factors()
        return self.base(x_BTI) + F.linear(F.linear(x_BTI, made.a_RI), made.b_OR)


class FreshLinear(Detour):
    """The paper's second phase: trained copies of the leading directions, fresh coefficients."""

    def __init__(self, base: nn.Linear, basis: Basis, rank: int, spec: ShareSpec) -> None:
        super().__init__()
        self.base = base
        self.out_OF = nn.Parameter(basis.out_OK[:, : spec.n_added].clone())
        self.in_IF = nn.Parameter(basis.in_IK[:, : spec.n_added].clone())
        shape = (self.out_OF.shape[1], rank)
        self.out_FR = nn.Parameter(spec.deviation * torch.randn(shape))
        self.in_FR = nn.Parameter(spec.deviation * torch.randn(shape))

    def factors(self) -> Factors:
        return Factors(self.out_OF @ self.out_FR, (self.in_IF @ self.in_FR).T)


class CodedLinear(Detour):
    """The authors' layer: a frozen basis, its coefficients, and a product of random vectors.

    Attributes:
        out_KR, in_KR: coefficients (their `loadings`).
        out_OF, out_FR, in_IF, in_FR: their `rv_1` and `rv_2`, uniform in ±0.5 at first.
    """

    def __init__(self, base: nn.Linear, coded: "Coded", rank: int, n_added: int) -> None:
        super().__init__()
        self.base = base
        self.register_buffer("basis_out_OK", coded.basis.out_OK)
        self.register_buffer("basis_in_IK", coded.basis.in_IK)
        self.out_KR = nn.Parameter(coded.out_KR.clone())
        self.in_KR = nn.Parameter(coded.in_KR.clone())
        shapes = {
            "out_OF": (base.out_features, n_added),
            "out_FR": (n_added, rank),
            "in_IF": (base.in_features, n_added),
            "in_FR": (n_added, rank),
        }
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.rand(shape) - 0.5))

    def factors(self) -> Factors:
        kept = self.kept()
        return Factors(
            kept.b_OR + self.out_OF @ self.out_FR, kept.a_RI + (self.in_IF @ self.in_FR).T
        )

    def kept(self) -> Factors:
        """What the basis and its coefficients hold, without what the task added."""
        return Factors(self.basis_out_OK @ self.out_KR, (self.basis_in_IK @ self.in_KR).T)


@dataclass(frozen=True)
class Coded:
    """One layer of the authors' adapter: a basis and coefficients, [K, R]."""

    basis: Basis
    out_KR: Tensor
    in_KR: Tensor

    @property
    def factors(self) -> Factors:
        return Factors(self.basis.out_OK @ self.out_KR, (self.basis.in_IK @ self.in_KR).T)


CodedAdapter = Mapping[str, Coded]


def skills_of(adapters: Mapping[str, Adapter]) -> Skills:
    return {name: deltas(adapter) for name, adapter in adapters.items()}


def projected(adapters: Mapping[str, Adapter], shared: Shared) -> Skills:
    """The projection of each adapter onto the basis."""
    return {name: share.rebuilt(shared, number) for number, name in enumerate(adapters)}


def coefficients(coder: Coder, tasks: Tasks, bases: Bases, night: Night) -> Skills:
    """Coefficients alone, from scratch, in a frozen basis."""
    held = Shared(dict(bases), {}, {})
    hasty = replace(night, learning_rate=SPEC.haste * night.learning_rate)
    return {
        name: _trained(coder, lessons, hasty, held, start=None) for name, lessons in tasks.items()
    }


def share_full(coder: Coder, tasks: Tasks, shared: Shared, night: Night) -> Skills:
    """Share with all adapters at hand: projected, then the coefficients of each are fine-tuned."""
    return {
        name: _trained(coder, lessons, night, shared, start=number)
        for number, (name, lessons) in enumerate(tasks.items())
    }


def _trained(
    coder: Coder, lessons: Sequence[Lesson], night: Night, shared: Shared, start: int | None
) -> Deltas:
    model = share.add_share(copy.deepcopy(coder.model), shared, night.rank, night.seed)
    if start is not None:
        start_from(model, shared, start)
    learn(coder, model, lessons, night, night.steps)
    return share.learned(model)


def share_continual(
    coder: Coder, tasks: Tasks, first: Mapping[str, Adapter], night: Night, spec: ShareSpec = SPEC
) -> Skills:
    """Share as in the paper, task after task.

    Args:
        first: the adapters of the first tasks, in their order.
    """
    adapters = dict(first)
    shared = _shared(adapters, spec)
    for name, lessons in islice(tasks.items(), len(first), None):
        new = _adapted(coder, lessons, shared, night, spec)
        kept = {known: rebuilt_factors(shared, number) for number, known in enumerate(adapters)}
        adapters = {**kept, name: new}
        shared = _shared(adapters, spec)
    return projected(adapters, shared)


def _shared(adapters: Mapping[str, Adapter], spec: ShareSpec) -> Shared:
    known = list(adapters.values())
    return share.share(known, directions_for(known, spec.variance))


def _adapted(
    coder: Coder, lessons: Sequence[Lesson], shared: Shared, night: Night, spec: ShareSpec
) -> Adapter:
    torch.manual_seed(night.seed)
    model = copy.deepcopy(coder.model)
    layers = {
        path: FreshLinear(model.get_submodule(path), basis, night.rank, spec)
        for path, basis in shared.bases.items()
    }
    share.with_layers(model, layers)
    learn(coder, model, lessons, night, night.steps)
    return _factors(model)


def share_as_coded(
    coder: Coder, tasks: Tasks, first: Adapter, night: Night, spec: ShareSpec = SPEC
) -> Skills:
    """Share as its authors' code runs it, from the adapter of the first task."""
    current = {path: _coded(factors, spec.n_coded) for path, factors in first.items()}
    finished: dict[str, CodedAdapter] = {}
    for number, (name, lessons) in enumerate(tasks.items()):
        current = _coded_task(
            coder, lessons, current, replace(night, seed=night.seed + number), spec
        )
        if finished:
            last = next(reversed(finished))
            finished[last] = _updated(finished[last], current, spec.n_coded)
        finished[name] = current
    return {
        name: {path: coded.factors.delta_OI for path, coded in adapter.items()}
        for name, adapter in finished.items()
    }


def _coded_task(
    coder: Coder, lessons: Sequence[Lesson], current: CodedAdapter, night: Night, spec: ShareSpec
) -> CodedAdapter:
    torch.manual_seed(night.seed)
    model = copy.deepcopy(coder.model)
    layers = {
        path: CodedLinear(model.get_submodule(path), coded, night.rank, spec.n_added)
        for path, coded in current.items()
    }
    share.with_layers(model, layers)
    learn(coder, model, lessons, night, night.steps)
    return {path: _recalculated(model.get_submodule(path), spec.n_coded) for path in current}


def _recalculated(layer: CodedLinear, n_directions: int) -> Coded:
    """Their `recalculate_EigenFlux`: what was added shapes the basis and is dropped."""
    added = Factors(layer.out_OF @ layer.out_FR, (layer.in_IF @ layer.in_FR).T)
    return _coded(_detached(layer.kept()), n_directions, _detached(added))


def _updated(before: CodedAdapter, newest: CodedAdapter, n_directions: int) -> CodedAdapter:
    """Their `weight_update.py`: the task before, in a basis of it and the newest."""
    return {
        path: _coded(coded.factors, n_directions, newest[path].factors)
        for path, coded in before.items()
    }


def _coded(kept: Factors, n_directions: int, *others: Factors) -> Coded:
    """A basis of `kept` and others, and the coefficients of `kept` in it."""
    found = (kept, *others)
    basis = Basis(
        _eigenvectors(torch.stack([each.b_OR for each in found]), n_directions),
        _eigenvectors(torch.stack([each.a_RI.T for each in found]), n_directions),
    )
    return Coded(basis, basis.out_OK.T @ kept.b_OR, basis.in_IK.T @ kept.a_RI.T)


def _eigenvectors(factor_NOR: Tensor, n_directions: int) -> Tensor:
    """As `principal`, and arbitrary directions beyond the rank, as many as they ask for."""
    return torch.linalg.svd(share.centred(factor_NOR), full_matrices=True).U[:, :n_directions]


def _factors(model: nn.Module) -> Adapter:
    return {
        path: _detached(layer.factors())
        for path, layer in model.named_modules()
        if isinstance(layer, Detour)
    }


def _detached(factors: Factors) -> Factors:
    return Factors(factors.b_OR.detach(), factors.a_RI.detach()).cpu()
