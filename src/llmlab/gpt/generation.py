"""Text from a model, token by token: temperature, top-k, top-p, and a cache of keys and values."""

import codecs
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile

import torch
from torch import Tensor
from torch.nn import functional as F

from llmlab.gpt.model import GPT, Attention, KVCache
from llmlab.gpt.text.text_tokenizers import TextTokenizer
from llmlab.method.errors import LabError


@dataclass(frozen=True)
class SamplingConfig:
    """How the next token is drawn.

    Attributes:
        temperature: divides the logits; 0 takes the most likely token (greedy decoding).
        top_k: draw from the k most likely tokens only, and those as likely as the last of them.
        top_p: of these, only the fewest most likely ones that hold this share of the probability
            (nucleus sampling, 1904.09751, section 3.1).
        seed: the same seed draws the same text, on any device.

    Raises:
        LabError: a value is out of range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise LabError(
                f"a temperature of {self.temperature:g} draws nothing: take 0 for the most likely "
                "token, or a positive number such as 0.8."
            )
        if self.top_k is not None and self.top_k < 1:
            raise LabError(f"top-k {self.top_k} leaves no token to draw: take 1 or more.")
        if not 0 < self.top_p <= 1:
            raise LabError(
                f"top-p {self.top_p:g} is not a share of the probability: "
                "take one above 0 and up to 1, such as 0.9."
            )


class Sampler:
    """Draws tokens; on the CPU, so that a seed means the same whatever device the model is on."""

    def __init__(self, config: SamplingConfig) -> None:
        self.config = config
        self._random = torch.Generator().manual_seed(config.seed)

    def draw(self, logits_V: Tensor) -> int:
        """The next token, given the logits of all.

        By the Gumbel-max trick (1411.0030, section 2.1): the largest sum of logit and Gumbel noise
        is distributed like the softmax. Noise stays with its token, so a rounding error in the
        logits changes the text only where two sums are that close.
        """
        if self.config.temperature == 0:
            return int(logits_V.argmax())
        logits_V = logits_V.cpu().double()
        logits_V = (logits_V - logits_V.max()) / self.config.temperature
        uniform_V = torch.rand(len(logits_V), generator=self._random, dtype=torch.float64)
        score_V = logits_V - uniform_V.log_().neg_().log_()
        score_V[logits_V < least_logit(logits_V, self.config)] = -torch.inf
        return int(score_V.argmax())


def least_logit(logits_V: Tensor, config: SamplingConfig) -> float:
    """The smallest logit that `top_k` and `top_p` leave in the draw."""
    if config.top_k is None and config.top_p == 1:
        return -torch.inf
    n_tokens = len(logits_V)
    likely_K = logits_V.topk(min(config.top_k or n_tokens, n_tokens)).values
    if config.top_p < 1:
        share_K = likely_K.softmax(0).cumsum(0)
        n_needed = int((share_K < config.top_p).sum()) + 1
        likely_K = likely_K[:n_needed]
    return likely_K[-1].item()


def window_start(n_tokens: int, context: int) -> int:
    """The first token that the model sees when it continues a text of `n_tokens`.

    All of them while they fit the context. From then on the start moves in steps of half a
    context: positions change only then, and what is in the cache holds until then.
    """
    stride = max(1, context // 2)
    n_strides = -(-max(0, n_tokens - context) // stride)
    return n_strides * stride


class Reader:
    """Reads a growing text and gives the logits of what comes next, with a cache or without."""

    def __init__(self, model: GPT, cached: bool) -> None:
        self.model = model
        self.cached = cached
        self._start: int | None = None
        self._cache: list[KVCache] = []

    @torch.inference_mode()
    def next_logits(self, ids: Sequence[int]) -> Tensor:
        """[V] logits after `ids`, which continue those of the call before."""
        start = window_start(len(ids), self.model.config.context)
        if not self.cached:
            return self._last_logits(ids[start:])
        if start != self._start:
            self._start, self._cache = start, self.model.new_cache(batch_size=1)
        new = ids[start + self._cache[0].length :]
        if len(new) == 1:
            return decode(self.model, new[0], self._cache)
        return self._last_logits(new, self._cache)

    def _last_logits(self, ids: Sequence[int], cache: list[KVCache] | None = None) -> Tensor:
        tokens_BT = torch.tensor([ids], device=self.model.head.weight.device)
        return self.model(tokens_BT, cache)[0, -1]


def decode(model: GPT, token: int, cache: Sequence[KVCache]) -> Tensor:
    """[V] logits that `model`, without dropout, gives after one more token.

    The same arithmetic as the model's own, on vectors: one sequence needs no dimensions for batch
    and time, which take a third of the time per token of a small model.
    """
    position = cache[0].length
    x_D = model.token_embedding.weight[token] + model.position_embedding.weight[position]
    for block, block_cache in zip(model.blocks, cache, strict=True):
        x_D = x_D + _attend(block.attention, block.attention_norm(x_D), block_cache)
        x_D = x_D + block.mlp(block.mlp_norm(x_D))
    return model.head(model.norm(x_D))


def _attend(attention: Attention, x_D: Tensor, cache: KVCache) -> Tensor:
    q_BHTK, k_BHTK, v_BHTK = attention.qkv(x_D).view(3, 1, attention.n_heads, 1, -1)
    k_BHSK, v_BHSK = cache.extend(k_BHTK, v_BHTK)
    return attention.out(F.scaled_dot_product_attention(q_BHTK, k_BHSK, v_BHSK).flatten())


def generate(
    model: GPT,
    prompt_ids: Sequence[int],
    n_tokens: int,
    config: SamplingConfig,
    *,
    cached: bool = True,
    stop: int | None = None,
    n_ids: int | None = None,
) -> Iterator[int]:
    """Stream the tokens that continue a prompt; `model` is left in evaluation mode.

    Args:
        prompt_ids: of any length; the model sees the window of `window_start`.
        n_tokens: the most tokens to draw.
        cached: compute keys and values once per token and window, not once per step. The tokens
            are the same either way.
        stop: the token that ends the text; it is not yielded.
        n_ids: draw only from this many first ids, if the vocabulary is padded.

    Raises:
        LabError: the prompt is empty, or holds a token that the model does not know.
    """
    ids = list(prompt_ids)
    if not ids:
        raise LabError(
            "the prompt is empty: begin with at least one token, such as the end of text."
        )
    require_known(model, ids)
    tokens = _stream(Reader(model.eval(), cached), Sampler(config), ids, n_ids)
    return takewhile(lambda drawn: drawn != stop, islice(tokens, n_tokens))


def require_known(model: GPT, ids: Sequence[int]) -> None:
    """Make sure that the model knows all these tokens.

    Raises:
        LabError: it does not.
    """
    if max(ids) >= model.config.vocab_size:
        raise LabError(
            f"the text holds token {max(ids)}, and the model knows only "
            f"{model.config.vocab_size}: use the tokenizer that it was trained with."
        )


def stream_text(
    model: GPT,
    tokenizer: TextTokenizer,
    prompt: str,
    n_tokens: int,
    config: SamplingConfig,
    *,
    cached: bool = True,
) -> Iterator[str]:
    """Stream the text that continues `prompt`, up to `n_tokens` or the end of the document.

    An empty prompt begins a document. Each piece is whole characters, however many tokens spell
    one; bytes that form none become U+FFFD. Errors as `generate`.
    """
    drawn = generate(
        model,
        tokenizer.encode(prompt) or [tokenizer.end_of_text],
        n_tokens,
        config,
        cached=cached,
        stop=tokenizer.end_of_text,
        n_ids=tokenizer.vocab_size,
    )
    return _characters(map(tokenizer.token_bytes, drawn))


def _stream(reader: Reader, sampler: Sampler, ids: list[int], n_ids: int | None) -> Iterator[int]:
    while True:
        ids.append(sampler.draw(reader.next_logits(ids)[:n_ids]))
        yield ids[-1]


def _characters(pieces: Iterable[bytes]) -> Iterator[str]:
    """The text of UTF-8 bytes, as soon as a character is complete."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for piece in pieces:
        if text := decoder.decode(piece):
            yield text
    if rest := decoder.decode(b"", final=True):
        yield rest
