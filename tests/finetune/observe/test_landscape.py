import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from llmlab.finetune.model.base_model import new_base_model
from llmlab.finetune.model.lora import LoraLinear, LoraSpec
from llmlab.finetune.observe.landscape import (
    Landscape,
    Weights,
    barrier,
    merged_copy,
    moved,
    path,
    plane,
    random_direction,
    rise,
    weights_of,
)
from llmlab.finetune.tasks.batches import encode
from llmlab.finetune.tasks.skills import subtraction


@pytest.fixture
def model() -> nn.Module:
    return new_base_model(d_model=16, n_layers=1, n_heads=2, context=32, seed=0)


@pytest.fixture
def landscape(model: nn.Module) -> Landscape:
    return Landscape(merged_copy(model), encode(subtraction().train[:8]))


@pytest.fixture
def adapted(model: nn.Module) -> nn.Module:
    """A model whose adapter changes what it says."""
    LoraSpec(rank=2, alpha=4).adapt(model, seed=0)
    for part in model.modules():
        if isinstance(part, LoraLinear):
            nn.init.normal_(part.b_RO)
    return model


def test_a_model_without_its_adapter_says_the_same(adapted: nn.Module) -> None:
    tokens = encode(subtraction().train[:4]).tokens_NT
    merged = merged_copy(adapted)
    torch.testing.assert_close(merged(tokens), adapted(tokens))
    assert not any(isinstance(part, LoraLinear) for part in merged.modules())


def test_the_model_that_is_merged_keeps_its_own_weights(adapted: nn.Module) -> None:
    before = {name: tensor.clone() for name, tensor in adapted.state_dict().items()}
    merged_copy(adapted)
    assert all(torch.equal(tensor, before[name]) for name, tensor in adapted.state_dict().items())


def test_the_plain_models_of_both_methods_have_the_same_coordinates(model: nn.Module) -> None:
    names = set(weights_of(model))
    adapted = LoraSpec(rank=2, alpha=4).adapt(model, seed=0)
    assert set(weights_of(merged_copy(adapted))) == names


def test_every_filter_of_a_direction_is_as_long_as_that_of_the_weights(model: nn.Module) -> None:
    weights = weights_of(model)
    direction = random_direction(weights, seed=0)
    for name, tensor in weights.items():
        if tensor.ndim == 2:
            torch.testing.assert_close(direction[name].norm(dim=1), tensor.norm(dim=1))
        else:
            assert not direction[name].any()


def test_directions_of_two_seeds_are_nearly_at_right_angles(model: nn.Module) -> None:
    weights = weights_of(model)
    first, second = (random_direction(weights, seed) for seed in (0, 1))
    product = sum((first[name] * second[name]).sum() for name in weights)
    squared = sum(tensor.square().sum() for tensor in first.values())
    assert abs(product / squared) < 0.1


def test_the_middle_of_a_plane_is_the_point_itself(model: nn.Module, landscape: Landscape) -> None:
    centre = weights_of(model)
    losses = plane(landscape, centre, (-0.5, 0.0, 0.5))
    assert losses[1][1] == landscape.at(centre).loss
    assert len({loss for row in losses for loss in row}) == 9


def test_the_rows_of_a_plane_are_distances_along_the_second_direction(
    model: nn.Module, landscape: Landscape
) -> None:
    centre = weights_of(model)
    along = random_direction(centre, seed=1)
    losses = plane(landscape, centre, (0.0, 0.5))
    assert losses[1][0] == landscape.at(moved(centre, (0.5, along))).loss


def test_the_rise_at_no_distance_is_none(model: nn.Module, landscape: Landscape) -> None:
    assert rise(landscape, weights_of(model), distance=0.0, n_directions=2) == pytest.approx(0)


def test_a_path_leads_from_one_end_to_the_other(landscape: Landscape) -> None:
    start, end = (
        weights_of(new_base_model(d_model=16, n_layers=1, n_heads=2, context=32, seed=seed))
        for seed in (0, 1)
    )
    first, _, last = path(landscape, start, end, (0.0, 0.5, 1.0))
    assert first == landscape.at(start)
    assert last.loss == pytest.approx(landscape.at(end).loss)


def test_steps_add_up() -> None:
    weights: Weights = {"w": torch.zeros(2)}
    across, along = {"w": torch.tensor([1.0, 0.0])}, {"w": torch.tensor([0.0, 1.0])}
    assert moved(weights, (2, across), (3, along))["w"].tolist() == [2, 3]


def test_a_hill_between_two_ends_is_measured_from_the_line_between_them() -> None:
    assert barrier([0.0, 2.0, 2.0], [0.0, 0.5, 1.0]) == pytest.approx(1)


@given(st.floats(-5, 5), st.floats(-5, 5))
def test_a_straight_slope_and_a_valley_have_no_barrier(first: float, last: float) -> None:
    middle = (first + last) / 2
    assert barrier([first, middle, last], [0.0, 0.5, 1.0]) == pytest.approx(0, abs=1e-9)
    assert barrier([first, middle - 1, last], [0.0, 0.5, 1.0]) == 0
