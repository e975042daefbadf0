"""Nights: lessons by method, merges with known results, and one night end to end."""

import copy

import pytest
import torch
from sleep_episodes import episode_with
from sleep_tokens import TOKENS

from llmlab.finetune.model.lora import LoraSpec
from llmlab.gpt.model import GPTConfig
from llmlab.method.errors import LabError
from llmlab.sleep.coder.coder import new_coder
from llmlab.sleep.night import share
from llmlab.sleep.night.adapters import (
    Factors,
    adapter_of,
    dare,
    deltas,
    mean_of_deltas,
    mean_of_factors,
    norm,
    ties,
    with_deltas,
)
from llmlab.sleep.night.catalog import spend_night
from llmlab.sleep.night.lessons import naive, replay, self_training, targeted
from llmlab.sleep.night.nights import METHODS, Night
from llmlab.sleep.repair.episodes import Turn
from tests.sleep.night.drawn import random_adapters

NIGHT = Night(steps=4, batch_size=4, rank=2, n_directions=3)


@pytest.fixture
def coder():
    return new_coder("python", TOKENS, GPTConfig(len(TOKENS.names), 128, 16, 1, 2), seed=0)


def episode(number, outcome, family="names"):
    own = "def draw(cost):\n    return cost * 1\n"
    turn = Turn(answer="2|    return cost * 1", outcome=outcome, code=own)
    return episode_with(id=str(number), koan=f"k{number}", family=family, turns=(turn,))


DAY = [episode(n, "green" if n % 2 else "test", "names" if n < 5 else "keys") for n in range(10)]


def test_each_method_learns_from_what_it_says():
    assert len(naive(DAY, 0)) == 10
    assert {lesson.edit for lesson in targeted(DAY, 0)} == {"2|    return cost"}
    assert {lesson.edit for lesson in self_training(DAY, 0)} == {"2|    return cost * 1"}
    assert len(targeted(DAY, 0)) == len(self_training(DAY, 0)) == 5


@pytest.mark.parametrize(("share", "old"), [(0.0, 0), (0.5, 5), (0.2, 1), (0.9, 5)])
def test_replay_is_a_share_of_the_lessons_as_far_as_there_are_passed_ones(share, old):
    assert len(replay(share)(DAY, 0)) == 5 + old


def test_a_share_that_leaves_nothing_new_is_refused():
    with pytest.raises(LabError, match="no new lesson"):
        replay(1.0)


def test_merges_of_one_adapter_give_it_back():
    one = random_adapters(1)
    for merged in (mean_of_deltas(one), mean_of_factors(one), ties(one, 1.0), dare(one, 1.0, 0)):
        torch.testing.assert_close(merged["layer"], one[0]["layer"].delta_OI)


def test_mean_of_deltas_depends_on_no_gauge_and_mean_of_factors_does():
    first, second = random_adapters(2)
    turn_RR = torch.tensor([[0.0, 2.0], [-1.0, 0.0]])
    b_OR, a_RI = second["layer"].b_OR, second["layer"].a_RI
    turned = {"layer": Factors(b_OR @ turn_RR, turn_RR.inverse() @ a_RI)}
    same = [mean_of_deltas([first, each])["layer"] for each in (second, turned)]
    torch.testing.assert_close(*same)
    other = [mean_of_factors([first, each])["layer"] for each in (second, turned)]
    assert not torch.allclose(*other)


def test_means_of_unrelated_factors_shrink_by_their_number():
    n, norms = 8, []
    for seed in range(20):
        adapters = random_adapters(n, seed)
        own = sum(norm(deltas(adapter)) for adapter in adapters) / n
        norms.append(norm(mean_of_factors(adapters)) / own)
    assert sum(norms) / 20 == pytest.approx(1 / n, rel=0.25)


def test_ties_drops_who_disagrees():
    signs = [1.0, 1.0, -1.0]
    adapters = [{"layer": Factors(torch.full((1, 1), sign), torch.ones(1, 1))} for sign in signs]
    assert ties(adapters, 1.0)["layer"].item() == 1.0


def test_a_basis_of_all_directions_rebuilds_every_adapter_but_for_the_mean():
    adapters = random_adapters(3)
    centred = share.share(adapters, 5)
    for number, adapter in enumerate(adapters):
        whole = adapter["layer"].delta_OI
        lost = norm({"layer": share.rebuilt(centred, number)["layer"] - whole}) / norm(
            {"layer": whole}
        )
        assert lost < 0.5
    assert centred.bases["layer"].out_OK.T @ centred.bases["layer"].out_OK == pytest.approx(
        torch.eye(5), abs=1e-5
    )


def test_deltas_added_to_the_weights_do_what_the_adapter_does(coder):
    model = LoraSpec(2, 4.0).adapt(copy.deepcopy(coder.model), 0)
    for parameter in model.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.1)
    tokens_BT = torch.arange(12).view(2, 6)
    changed = with_deltas(coder.model, deltas(adapter_of(model)))
    torch.testing.assert_close(changed(tokens_BT), model(tokens_BT))


@pytest.mark.parametrize("method", METHODS)
def test_every_night_changes_the_coder_and_leaves_the_old_one(coder, method):
    before = {name: tensor.clone() for name, tensor in coder.model.state_dict().items()}
    after = spend_night(coder, DAY, method, NIGHT)
    assert all(torch.equal(before[n], t) for n, t in coder.model.state_dict().items())
    assert any(not torch.equal(before[n], t) for n, t in after.model.state_dict().items())


def test_a_day_without_lessons_and_an_unknown_method_are_said(coder):
    with pytest.raises(LabError, match="no episode for this method to learn from"):
        spend_night(coder, [DAY[1]], "targeted", NIGHT)
    with pytest.raises(LabError, match="did you mean 'replay'"):
        spend_night(coder, DAY, "reply", NIGHT)
