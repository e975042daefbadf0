"""Adapters on disk, pieces of lessons, and what a basis holds of an adapter."""

from itertools import chain

import pytest
import torch

from llmlab.sleep.night.adapters import Factors
from llmlab.sleep.night.share import Basis
from llmlab.sleep.study.library import (
    RANDOM,
    basis_of,
    captured,
    load_adapters,
    pieces,
    save_adapters,
)


def adapter(seed):
    random = torch.Generator().manual_seed(seed)
    return {
        "layer": Factors(torch.randn(4, 2, generator=random), torch.randn(2, 4, generator=random))
    }


def test_adapters_come_back_in_their_order(tmp_path):
    written = {f"family {number}": adapter(number) for number in range(12)}
    save_adapters(written, tmp_path / "adapters.safetensors")
    found = load_adapters(tmp_path / "adapters.safetensors")
    assert list(found) == list(written)
    for name, each in written.items():
        assert torch.equal(found[name]["layer"].b_OR, each["layer"].b_OR)
        assert torch.equal(found[name]["layer"].a_RI, each["layer"].a_RI)


@pytest.mark.parametrize("count", [9, 12, 51])
def test_lessons_are_dealt_to_as_many_adapters_as_asked_and_none_is_lost(count):
    families = {family: [f"{family}{number}" for number in range(6)] for family in "abcdefghi"}
    found = pieces(families, count)
    assert len(found) == count
    dealt, given = (sorted(chain.from_iterable(each.values())) for each in (found, families))
    assert dealt == given
    assert all({lesson[0] for lesson in piece} == {name[0]} for name, piece in found.items())


def test_a_basis_holds_the_part_of_an_adapter_that_lies_in_it():
    diagonal = Factors(torch.eye(4)[:, :2], torch.tensor([[3.0, 0, 0, 0], [0, 1.0, 0, 0]]))
    bases = {"layer": Basis(torch.eye(4)[:, :1], torch.eye(4)[:, :3])}
    assert captured({"layer": diagonal}, bases) == pytest.approx(0.9)


def test_a_basis_of_few_adapters_holds_them_better_than_chance():
    found = [adapter(seed) for seed in range(4)]
    own, chance = (basis_of(found, which, 3, seed=0) for which in ("4", RANDOM))
    held = [sum(captured(each, bases) for each in found) for bases in (own, chance)]
    assert held[0] > held[1]
