"""Share's phases on a stream: what is kept, what is dropped, and where ΔW may lie."""

from dataclasses import replace

import pytest
import torch
from sleep_tokens import TOKENS
from torch import nn

from llmlab.gpt.model import GPTConfig
from llmlab.sleep.coder.coder import new_coder
from llmlab.sleep.coder.lessons import Lesson
from llmlab.sleep.koans.verdict import Verdict
from llmlab.sleep.night.adapters import Factors, norm
from llmlab.sleep.night.nights import Night, separate
from llmlab.sleep.night.share import Basis, share
from llmlab.sleep.night.skills import SHARE_METHODS, Stream, in_random_order
from llmlab.sleep.night.stream import (
    SPEC,
    Coded,
    CodedLinear,
    FreshLinear,
    _recalculated,
    coefficients,
)
from llmlab.sleep.repair.task import Task

RED = Verdict("test", "NameError", 2, "")


def lesson(right):
    code = "def draw(cost):\n    return total\n"
    return Lesson(Task("python", code, RED), f"2|    return {right}")


@pytest.fixture(scope="module")
def stream():
    coder = new_coder("python", TOKENS, GPTConfig(len(TOKENS.names), 64, 16, 1, 2), seed=0)
    tasks = {name: [lesson(right)] for name, right in zip("abc", ("cost", "2", "3"), strict=True)}
    night = Night(steps=1, rank=2, alpha=4.0)
    return Stream(coder, tasks, separate(coder, tasks, night), night)


def basis(width, count, seed=0):
    torch.manual_seed(seed)
    return Basis(*(torch.linalg.qr(torch.randn(width, count)).Q for _ in range(2)))


def test_a_task_of_the_paper_begins_in_the_leading_directions_with_few_of_its_own():
    layer = FreshLinear(nn.Linear(6, 6), basis(6, 4), rank=4, spec=replace(SPEC, n_added=2))
    found = layer.factors()
    assert torch.linalg.matrix_rank(found.delta_OI) == 2
    held = basis(6, 4).out_OK[:, :2]
    torch.testing.assert_close(held @ held.T @ found.b_OR, found.b_OR)


def test_the_code_adds_what_a_task_learns_and_drops_it_when_it_recalculates():
    torch.manual_seed(0)
    coded = Coded(basis(6, 6), torch.randn(6, 2), torch.randn(6, 2))
    layer = CodedLinear(nn.Linear(6, 6), coded, rank=2, n_added=1)
    while_training = layer.factors().delta_OI
    after = _recalculated(layer, 6).factors.delta_OI
    torch.testing.assert_close(after, coded.factors.delta_OI)
    assert not torch.allclose(after, while_training)


def test_what_was_added_turns_the_basis_of_the_code():
    torch.manual_seed(0)
    coded = Coded(basis(6, 3), torch.randn(3, 2), torch.randn(3, 2))
    layer = CodedLinear(nn.Linear(6, 6), coded, rank=2, n_added=1)
    found = _recalculated(layer, 3)
    outside = found.basis.out_OK - coded.basis.out_OK @ (coded.basis.out_OK.T @ found.basis.out_OK)
    assert outside.norm() > 0.1


def test_coefficients_stay_within_their_basis(stream):
    bases = stream.at_random.bases
    (changes, *_) = coefficients(stream.coder, stream.tasks, bases, stream.night).values()
    for path, delta_OI in changes.items():
        out_OK, in_IK = bases[path].out_OK, bases[path].in_IK
        torch.testing.assert_close(out_OK @ (out_OK.T @ delta_OI @ in_IK) @ in_IK.T, delta_OI)
    assert norm(changes) > 0


@pytest.mark.parametrize("method", SHARE_METHODS)
def test_every_method_has_weights_for_each_family_and_leaves_the_base(stream, method):
    before = {name: each.clone() for name, each in stream.coder.model.state_dict().items()}
    skills = SHARE_METHODS[method](stream)
    assert list(skills) == list(stream.tasks)
    paths = set(next(iter(stream.adapters.values())))
    assert all(set(changes) == paths and norm(changes) > 0 for changes in skills.values())
    after = stream.coder.model.state_dict()
    assert all(torch.equal(before[name], each) for name, each in after.items())


def test_averaged_methods_answer_every_family_alike(stream):
    for method in ("share-averaged", "mean-factors", "mean"):
        answers = list(SHARE_METHODS[method](stream).values())
        assert len(answers) > 1
        assert all(each is answers[0] for each in answers)


def test_old_adapters_lose_only_what_the_new_basis_cannot_hold():
    random = torch.Generator().manual_seed(0)
    found = [
        {"layer": Factors(torch.randn(4, 2, generator=random), torch.randn(2, 4, generator=random))}
        for _ in range(3)
    ]
    shared = share(found, 4)  # as many directions as the layer is wide
    for number, adapter in enumerate(found):
        basis_, outs = shared.bases["layer"], shared.out_coefficients["layer"][number]
        torch.testing.assert_close(basis_.out_OK @ outs, adapter["layer"].b_OR)


def test_the_order_of_arrival_is_of_the_seed():
    names = tuple("abcdef")
    assert in_random_order(names, 1) == in_random_order(names, 1) != in_random_order(names, 2)
    assert sorted(in_random_order(names, 1)) == list(names)
