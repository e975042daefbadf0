import json

import pytest
import torch
from torch import Tensor

from llmlab.book.views import read_view
from llmlab.book.views.kinds import kinds
from llmlab.gpt.inside.inspection import activation_statistics, attention_weights, head_scores
from llmlab.gpt.inside.inspection_views import (
    CheckpointBrowser,
    activations_view,
    attention_view,
    logit_lens_view,
)
from llmlab.gpt.model import GPT, GPTConfig, next_token_loss
from llmlab.gpt.text.text_tokenizers import TextTokenizer
from llmlab.method.errors import LabError

TEXT = "the cat sat, é"


def test_an_attention_view_holds_each_map_below_its_diagonal(
    model: GPT, tokenizer: TextTokenizer
) -> None:
    view = attention_view(model, tokenizer, [TEXT, "at"], step=7, scores=head_scores(model))
    first, second = view["texts"]
    assert first["tokens"] == [*"the cat sat, ", "<0xC3>", "<0xA9>"]
    assert (len(first["weights"]), len(first["weights"][0]), first["checkpoint"]) == (3, 4, 7)
    ids = torch.tensor([tokenizer.encode("at")])
    expected = attention_weights(model, ids)[2, 0, 1] * 255
    assert second["weights"][2][1] == [[255], expected[1].round().int().tolist()]
    assert {name: len(layers) for name, layers in view["scores"].items()} == {
        "induction": 3,
        "previous_token": 3,
    }


def test_a_long_text_is_cut_to_the_context(model: GPT, tokenizer: TextTokenizer) -> None:
    assert len(attention_view(model, tokenizer, ["a" * 99])["texts"][0]["tokens"]) == 32
    assert len(logit_lens_view(model, tokenizer, ["a" * 99])["texts"][0]["tokens"]) == 32


def test_a_logit_lens_view_has_guesses_and_losses_by_layer(
    model: GPT, tokenizer: TextTokenizer
) -> None:
    (text,) = logit_lens_view(model, tokenizer, [TEXT])["texts"]
    names = [layer["name"] for layer in text["layers"]]
    assert names == ["embedding", "block 1", "block 2", "block 3"]
    ids = tokenizer.encode(TEXT)
    logits_BTV = model.eval()(torch.tensor([ids]))
    *losses, last = text["layers"][-1]["loss"]
    mean_loss = next_token_loss(logits_BTV[:, :-1], torch.tensor([ids[1:]])).item()
    assert sum(losses) / len(losses) == pytest.approx(mean_loss, abs=1e-4)
    assert last is None
    token, share = text["layers"][-1]["top"][4][0]
    assert token == tokenizer.token_text(int(logits_BTV[0, 4].argmax()))
    assert share == pytest.approx(logits_BTV[0, 4].softmax(-1).max().item(), abs=1e-3)


def test_a_single_token_has_guesses_but_no_loss(model: GPT, tokenizer: TextTokenizer) -> None:
    (text,) = logit_lens_view(model, tokenizer, ["a"])["texts"]
    assert [len(layer["top"]) for layer in text["layers"]] == [1, 1, 1, 1]
    assert [layer["loss"] for layer in text["layers"]] == [[None]] * 4


def test_an_activations_view_has_the_same_statistics_for_each_block(
    model: GPT, tokens_BT: Tensor
) -> None:
    found = activation_statistics(model, tokens_BT)
    view = activations_view({0: found, 5: found})
    assert [checkpoint["step"] for checkpoint in view["checkpoints"]] == [0, 5]
    layers = view["checkpoints"][0]["layers"]
    assert list(layers[0]) == [
        *("name", "mean", "std", "max", "kurtosis"),
        *("mlp_mean", "mlp_std", "mlp_max", "mlp_kurtosis", "dead_share"),
    ]
    assert layers[0]["mlp_max"] == pytest.approx(found[0].mlp.max, rel=1e-3)


def test_a_checkpoint_browser_keeps_what_each_look_saw(
    model: GPT, tokenizer: TextTokenizer
) -> None:
    browser = CheckpointBrowser(model, tokenizer, text="at", prompt="the", n_tokens=5)
    browser.look(0)
    torch.nn.init.zeros_(model.blocks[0].attention.qkv.weight)
    browser.look(4)
    curves = {"loss": [(0, 3.0), (2, 2.0), (5, 1.0)], "validation_loss": [(0, 3.1), (4, 2.1)]}
    view = browser.view(curves)
    first, second = view["steps"]
    assert (first["train_loss"], first["validation_loss"]) == (3.0, 3.1)
    assert (second["train_loss"], second["validation_loss"]) == (2.0, 2.1)
    assert first["sample"].startswith("the")
    assert first["attention"]["weights"] != second["attention"]["weights"]
    assert second["attention"]["weights"][0][0] == [[255], [128, 128]]
    assert view["curve"]["train"] == [[0, 3.0], [2, 2.0], [5, 1.0]]


def test_views_of_a_large_model_fit_a_page(tokenizer: TextTokenizer) -> None:
    large = GPT(GPTConfig(tokenizer.vocab_size, 64, 24, n_layers=12, n_heads=12))
    browser = CheckpointBrowser(large, tokenizer, n_tokens=1)
    for step in range(20):
        browser.look(step)
    views = [
        attention_view(large, tokenizer, ["the cat sat " * 9] * 3),
        browser.view({"loss": [(0, 1.0)], "validation_loss": []}),
    ]
    for view in views:
        size = len(json.dumps(view, separators=(",", ":"), allow_nan=False))
        assert 300_000 < size < 800_000


def test_the_book_can_show_every_view(
    model: GPT, tokenizer: TextTokenizer, tokens_BT: Tensor
) -> None:
    browser = CheckpointBrowser(model, tokenizer, n_tokens=3)
    browser.look(2)
    views = {
        "attention": attention_view(model, tokenizer, [TEXT, "a"], scores=head_scores(model)),
        "logit_lens": logit_lens_view(model, tokenizer, [TEXT, "a"]),
        "activations": activations_view({0: activation_statistics(model, tokens_BT)}),
        "checkpoints": browser.view({"loss": [(0, 1.5)], "validation_loss": []}),
    }
    for kind, view in views.items():
        raw = json.loads(json.dumps(view, allow_nan=False))
        assert isinstance(read_view(raw, "a view"), kinds()[kind])


@pytest.mark.parametrize("make", [attention_view, logit_lens_view])
def test_a_text_that_is_empty_or_of_another_vocabulary_is_refused(
    model: GPT, tokenizer: TextTokenizer, make: object
) -> None:
    with pytest.raises(LabError, match="no text to look at"):
        make(model, tokenizer, ["a", ""])
    small = GPT(GPTConfig(4, 32, 24, 3, 4))
    with pytest.raises(LabError, match="knows only 4"):
        make(small, tokenizer, [TEXT])
