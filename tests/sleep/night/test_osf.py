"""OSF changes a weight in its weak directions alone; our TIES and DARE are PEFT's."""

import pytest
import torch
from peft.utils.merge_utils import ties as their_ties
from sleep_episodes import EPISODE
from sleep_tokens import TOKENS

from llmlab.gpt.model import GPTConfig
from llmlab.method.errors import LabError
from llmlab.sleep.coder.coder import new_coder
from llmlab.sleep.night.adapters import Factors, dare, mean_of_deltas, ties
from llmlab.sleep.night.catalog import spend_night
from llmlab.sleep.night.nights import Night
from llmlab.sleep.night.osf import KEPT, osf

DAY = [EPISODE]


def test_a_night_of_osf_leaves_the_leading_directions_as_they_are():
    coder = new_coder("python", TOKENS, GPTConfig(len(TOKENS.names), 64, 16, 1, 2), seed=0)
    changes = osf(coder, DAY, Night(steps=3, batch_size=1))
    for path, delta_OI in changes.items():
        weight_OI = coder.model.get_submodule(path).weight.detach()
        u_OK, _, v_KI = torch.linalg.svd(weight_OI, full_matrices=False)
        kept = int(KEPT * min(weight_OI.shape))
        held = u_OK[:, :kept].T @ delta_OI @ v_KI[:kept].T
        # Adam rescales the entries of a projected gradient, so a little leaks
        assert float(held.norm()) < 0.02 * float(delta_OI.norm())
        assert float(delta_OI.norm()) > 0


def test_the_command_finds_it_beside_the_other_methods():
    coder = new_coder("python", TOKENS, GPTConfig(len(TOKENS.names), 64, 16, 1, 2), seed=0)
    night = Night(steps=1, batch_size=1, rank=2)
    for method in ("osf", "naive"):
        after = spend_night(coder, DAY, method, night).model.state_dict()
        assert any(not torch.equal(after[n], t) for n, t in coder.model.state_dict().items())
    with pytest.raises(LabError, match="no method 'ofs'"):
        spend_night(coder, DAY, "ofs", night)


def adapters(n):
    random = torch.Generator().manual_seed(0)
    return [
        {"layer": Factors(torch.randn(6, 2, generator=random), torch.randn(2, 5, generator=random))}
        for _ in range(n)
    ]


def test_ties_is_that_of_peft_where_each_entry_counts_once():
    found = adapters(4)
    deltas = [each["layer"].delta_OI for each in found]
    theirs = their_ties(deltas, torch.ones(4), density=0.5, majority_sign_method="total")
    torch.testing.assert_close(ties(found, 0.5)["layer"], theirs)


def test_dare_is_right_on_average():
    found = adapters(4)
    draws = torch.stack([dare(found, 0.5, seed)["layer"] for seed in range(400)])
    torch.testing.assert_close(draws.mean(0), mean_of_deltas(found)["layer"], atol=0.25, rtol=0.0)
