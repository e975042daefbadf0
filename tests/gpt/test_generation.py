import math
from itertools import accumulate, pairwise

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from llmlab.gpt.generation import (
    Sampler,
    SamplingConfig,
    decode,
    generate,
    least_logit,
    stream_text,
    window_start,
)
from llmlab.gpt.model import GPT, GPTConfig
from llmlab.gpt.text.text_tokenizers import TextTokenizer, characters
from llmlab.method.errors import LabError

CONFIG = GPTConfig(vocab_size=50, context=16, d_model=32, n_layers=2, n_heads=4)
GREEDY = SamplingConfig(temperature=0)


def new_model(config: GPTConfig) -> GPT:
    """A model whose weights are large, so that its predictions are far from even."""
    torch.manual_seed(0)
    model = GPT(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4)
    return model


@pytest.fixture(scope="module")
def model() -> GPT:
    return new_model(CONFIG)


@pytest.fixture(scope="module")
def tokenizer() -> TextTokenizer:
    return characters(["ab猫"])


@pytest.mark.parametrize(
    "config", [GREEDY, SamplingConfig(seed=1), SamplingConfig(0.8, top_k=10, top_p=0.9, seed=2)]
)
@pytest.mark.parametrize("n_prompt", [1, 15, 16, 17, 40])
def test_the_cache_changes_no_token_within_the_context_or_beyond(
    model: GPT, config: SamplingConfig, n_prompt: int
) -> None:
    prompt = [(7 * index) % 50 for index in range(n_prompt)]
    cached = list(generate(model, prompt, 60, config))
    assert cached == list(generate(model, prompt, 60, config, cached=False))
    assert len(set(cached)) > 1


def test_the_cache_is_refilled_once_per_half_context(model: GPT) -> None:
    seen = []
    handle = model.norm.register_forward_hook(
        lambda module, inputs, output: seen.append(output.shape[:-1].numel())
    )
    list(generate(model, [1], 40, GREEDY))
    handle.remove()
    assert seen == [1] * 16 + [9] + [1] * 7 + [9] + [1] * 7 + [9] + [1] * 7


@given(n_tokens=st.integers(1, 100), context=st.integers(1, 20))
def test_the_window_fits_the_context_and_is_half_full_at_least(n_tokens: int, context: int) -> None:
    seen = n_tokens - window_start(n_tokens, context)
    assert seen <= context
    assert seen == n_tokens or seen > context // 2


def test_decoding_one_token_gives_the_logits_of_the_model(model: GPT) -> None:
    tokens_BT = torch.randint(50, (1, 16), generator=torch.Generator().manual_seed(1))
    cache = model.eval().new_cache(batch_size=1)
    with torch.inference_mode():
        decoded = [decode(model, token, cache) for token in tokens_BT[0].tolist()]
        torch.testing.assert_close(torch.stack(decoded), model(tokens_BT)[0])


def test_only_the_window_counts(model: GPT) -> None:
    prompt = list(range(40))
    changed = [49] * window_start(40, 16) + prompt[window_start(40, 16) :]
    assert list(generate(model, prompt, 1, GREEDY)) == list(generate(model, changed, 1, GREEDY))


def test_temperature_zero_takes_the_most_likely_token_whatever_the_seed(model: GPT) -> None:
    tokens = list(generate(model, [3, 4], 14, GREEDY))
    assert tokens == list(generate(model, [3, 4], 14, SamplingConfig(temperature=0, seed=9)))
    with torch.inference_mode():
        logits_TV = model(torch.tensor([[3, 4, *tokens]]))[0]
    assert tokens == logits_TV[1:-1].argmax(dim=-1).tolist()


def test_a_seed_repeats_its_text_and_another_does_not(model: GPT) -> None:
    first, again, other = (
        list(generate(model, [3], 30, SamplingConfig(seed=seed))) for seed in (1, 1, 2)
    )
    assert first == again != other


def test_what_others_draw_changes_no_text(model: GPT) -> None:
    torch.manual_seed(0)
    first = list(generate(model, [3], 10, SamplingConfig()))
    torch.rand(5)
    assert first == list(generate(model, [3], 10, SamplingConfig()))


def test_dropout_is_off() -> None:
    model = new_model(GPTConfig(50, 16, 32, 2, 4, dropout=0.5)).train()
    assert list(generate(model, [3], 20, GREEDY)) == list(generate(model, [3], 20, GREEDY))


def allowed(logits: list[float], top_k: int | None, top_p: float) -> set[int]:
    """Most likely first: at most k, and as few as hold the share; ties with the last count in."""
    ranked = sorted(logits, reverse=True)[:top_k]
    total = sum(map(math.exp, ranked))
    shares = list(accumulate(math.exp(logit) / total for logit in ranked))
    assume(all(abs(share - top_p) > 1e-9 for share in shares[:-1]))
    n_needed = next((n for n, share in enumerate(shares, 1) if share >= top_p), len(ranked))
    return {index for index, logit in enumerate(logits) if logit >= ranked[n_needed - 1]}


@given(
    logits=st.lists(st.floats(-8, 8, width=32), min_size=1, max_size=7),
    top_k=st.none() | st.integers(1, 9),
    top_p=st.floats(0.01, 1),
    seed=st.integers(0, 2**32),
)
def test_top_k_and_top_p_leave_the_tokens_of_the_definition(
    logits: list[float], top_k: int | None, top_p: float, seed: int
) -> None:
    config = SamplingConfig(top_k=top_k, top_p=top_p, seed=seed)
    logits_V = torch.tensor(logits, dtype=torch.float64)
    left = allowed(logits, top_k, top_p)
    assert set((logits_V >= least_logit(logits_V, config)).nonzero().flatten().tolist()) == left
    assert Sampler(config).draw(logits_V) in left


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (SamplingConfig(), [0.1, 0.2, 0.3, 0.4]),
        (SamplingConfig(temperature=0.5), [1 / 30, 4 / 30, 9 / 30, 16 / 30]),
        (SamplingConfig(top_k=2), [0, 0, 3 / 7, 4 / 7]),
        (SamplingConfig(top_p=0.8), [0, 2 / 9, 3 / 9, 4 / 9]),
    ],
)
def test_tokens_are_drawn_as_often_as_they_are_likely(
    config: SamplingConfig, expected: list[float]
) -> None:
    n_draws, sampler = 4000, Sampler(config)
    logits_V = torch.tensor([0.1, 0.2, 0.3, 0.4]).log()
    drawn = torch.tensor([sampler.draw(logits_V) for _ in range(n_draws)])
    share_V = drawn.bincount(minlength=4) / n_draws
    torch.testing.assert_close(share_V, torch.tensor(expected), rtol=0, atol=0.03)


def test_a_tiny_temperature_is_greedy_and_does_not_overflow() -> None:
    assert Sampler(SamplingConfig(temperature=1e-300)).draw(torch.tensor([-1.0, 3.0, 2.0])) == 1


def test_the_stop_token_ends_the_text_and_is_not_given_out(model: GPT) -> None:
    tokens = list(generate(model, [3], 20, SamplingConfig()))
    stop = tokens[5]
    cut = tokens[: tokens.index(stop)]
    assert list(generate(model, [3], 20, SamplingConfig(), stop=stop)) == cut


def test_ids_beyond_the_tokenizers_are_never_drawn(model: GPT) -> None:
    assert max(generate(model, [3], 60, SamplingConfig(temperature=9), n_ids=7)) == 6


def test_text_comes_in_whole_characters(tokenizer: TextTokenizer) -> None:
    model = new_model(GPTConfig(tokenizer.vocab_size, 16, 32, 2, 4))
    prompt, config = "ab猫é", SamplingConfig(seed=3)
    drawn = generate(model, tokenizer.encode(prompt), 40, config, stop=tokenizer.end_of_text)
    spelled = b"".join(map(tokenizer.token_bytes, drawn))
    pieces = list(stream_text(model, tokenizer, prompt, 40, config))
    assert "".join(pieces) == spelled.decode(errors="replace")
    assert all(pieces)


def test_a_character_of_several_tokens_comes_when_it_is_complete(tokenizer: TextTokenizer) -> None:
    model = new_model(GPTConfig(tokenizer.vocab_size, 16, 32, 1, 4))
    spelled = tokenizer.encode("aé😀b")
    following = dict(pairwise(spelled))
    with torch.no_grad():  # the last token alone decides on the next
        for parameter in model.blocks.parameters():
            parameter.zero_()
        model.position_embedding.weight.zero_()
        model.head.weight = torch.nn.Parameter(torch.zeros_like(model.head.weight))
        model.token_embedding.weight.zero_()
        for place, (token, after) in enumerate(following.items()):
            model.token_embedding.weight[token, place] = 1
            model.head.weight[after, place] = 1
    pieces = list(stream_text(model, tokenizer, "a", len(following), GREEDY))
    assert pieces == ["é", "😀", "b"]


def test_an_empty_prompt_begins_a_document(tokenizer: TextTokenizer) -> None:
    model = new_model(GPTConfig(tokenizer.vocab_size, 16, 32, 2, 4))
    drawn = generate(model, [tokenizer.end_of_text], 12, GREEDY, stop=tokenizer.end_of_text)
    expected = b"".join(map(tokenizer.token_bytes, drawn)).decode(errors="replace")
    assert "".join(stream_text(model, tokenizer, "", 12, GREEDY)) == expected


def test_no_token_at_all_is_refused(model: GPT) -> None:
    with pytest.raises(LabError, match="prompt is empty"):
        generate(model, [], 5, GREEDY)


def test_a_token_that_the_model_does_not_know_is_refused(model: GPT) -> None:
    with pytest.raises(LabError, match="token 50, and the model knows only 50"):
        generate(model, [3, 50], 5, GREEDY)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"temperature": -1}, "temperature of -1 draws nothing"),
        ({"temperature": math.nan}, "temperature of nan draws nothing"),
        ({"temperature": math.inf}, "temperature of inf draws nothing"),
        ({"top_k": 0}, "top-k 0 leaves no token"),
        ({"top_p": 0}, "top-p 0 is not a share"),
        ({"top_p": 1.1}, "top-p 1.1 is not a share"),
    ],
)
def test_settings_out_of_range_are_refused(values: dict[str, float], sentence: str) -> None:
    with pytest.raises(LabError, match=sentence):
        SamplingConfig(**values)
