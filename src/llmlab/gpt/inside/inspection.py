"""A look inside a model: what its heads attend to, what its layers hold, what each would predict.

Everything is computed from the modules' outputs (forward hooks); the model is not changed, except
that it is left in evaluation mode. `inspection_views` turns the results into views for a page.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llmlab.gpt.model import GPT
from llmlab.gpt.text.token_dataset import TokenSpan
from llmlab.method.errors import LabError

DEAD = 0.01
"""A GELU unit is dead if it is nearer to zero than this on every token."""


@torch.no_grad()
def outputs(model: GPT, modules: Iterable[nn.Module], tokens_BT: Tensor) -> list[Tensor]:
    """The output of each of these modules of `model`, in the order in which they are called."""
    seen: list[Tensor] = []
    handles = [
        module.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
        for module in modules
    ]
    try:
        model.eval()(tokens_BT)
    finally:
        for handle in handles:
            handle.remove()
    return seen


def residual_stream(model: GPT, tokens_BT: Tensor) -> Tensor:
    """[L + 1, B, T, D] after the embedding and after each block."""
    return torch.stack(outputs(model, [model.dropout, *model.blocks], tokens_BT))


def attention_weights(model: GPT, tokens_BT: Tensor) -> Tensor:
    """[L, B, H, T, T] share of each query's attention that each key gets (1706.03762, eq. 1)."""
    projections = outputs(model, [block.attention.qkv for block in model.blocks], tokens_BT)
    return torch.stack([_weights(qkv_BTE, model.config.n_heads) for qkv_BTE in projections])


def _weights(qkv_BTE: Tensor, n_heads: int) -> Tensor:
    q_BHTK, k_BHTK, _ = (
        part.unflatten(-1, (n_heads, -1)).transpose(1, 2)
        for part in qkv_BTE.float().chunk(3, dim=-1)
    )
    score_BHTT = q_BHTK @ k_BHTK.mT / math.sqrt(q_BHTK.shape[-1])
    later_TT = torch.ones(score_BHTT.shape[-2:], dtype=torch.bool, device=qkv_BTE.device).triu(1)
    return score_BHTT.masked_fill(later_TT, -torch.inf).softmax(dim=-1)


def logit_lens(model: GPT, tokens_BT: Tensor) -> Tensor:
    """[L + 1, B, T, V] logits, if the model stopped after the embedding or after a block.

    The last norm and the head read the residual stream of every layer (nostalgebraist 2020,
    "Interpreting GPT: the logit lens"); the last layer's logits are the model's own.
    """
    with torch.no_grad():
        return model.head(model.norm(residual_stream(model, tokens_BT)))


@dataclass(frozen=True)
class Statistics:
    """Statistics of a layer's outputs.

    Attributes:
        max: the largest absolute value.
        kurtosis: fourth central moment over squared variance; 3 for a normal distribution, more
            where a few numbers are much larger than the rest.
    """

    mean: float
    std: float
    max: float
    kurtosis: float

    @classmethod
    def of(cls, x: Tensor) -> "Statistics":
        x = x.double()
        centred = x - x.mean()
        variance = centred.square().mean()
        fourth = centred.pow(4).mean() / variance.square().clamp(min=1e-300)
        return cls(x.mean().item(), variance.sqrt().item(), x.abs().max().item(), fourth.item())


@dataclass(frozen=True)
class LayerActivations:
    """What a block holds: the residual stream after it, and its MLP's units after their GELU.

    Attributes:
        dead_share: share of these units that `DEAD` calls dead.
    """

    name: str
    stream: Statistics
    mlp: Statistics
    dead_share: float


def activation_statistics(model: GPT, tokens_BT: Tensor) -> list[LayerActivations]:
    """One entry for each block, over all tokens."""
    stream = outputs(model, model.blocks, tokens_BT)
    before_gelu = outputs(model, [block.mlp.up for block in model.blocks], tokens_BT)
    units = [F.gelu(x_BTU, approximate="tanh") for x_BTU in before_gelu]
    return [
        LayerActivations(
            f"block {number}", Statistics.of(x_BTD), Statistics.of(unit_BTU), _dead_share(unit_BTU)
        )
        for number, (x_BTD, unit_BTU) in enumerate(zip(stream, units, strict=True), 1)
    ]


def _dead_share(unit_BTU: Tensor) -> float:
    return (unit_BTU.abs().amax(dim=(0, 1)) < DEAD).double().mean().item()


def repeated_tokens(
    model: GPT, n_tokens: int, n_sequences: int, seed: int, ids: Sequence[int] | None = None
) -> Tensor:
    """[N, 2 `n_tokens`] random tokens, all different, then the same again.

    Args:
        ids: the tokens to draw from; all that the model knows by default.

    Raises:
        LabError: two copies do not fit the context, or there are fewer different tokens.
    """
    pool = torch.arange(model.config.vocab_size) if ids is None else torch.tensor(ids).unique()
    longest = min(model.config.context // 2, len(pool))
    if not 2 <= n_tokens <= longest:
        raise LabError(
            f"a sequence of {n_tokens} different tokens and their repetition cannot be made for "
            f"this model: take 2 to {longest}, half of its context or all that there are."
        )
    random = torch.Generator().manual_seed(seed)
    order_NV = torch.rand(n_sequences, len(pool), generator=random).argsort(dim=1)
    return pool[order_NV[:, :n_tokens]].repeat(1, 2).to(model.head.weight.device)


def induction_scores(
    model: GPT, n_tokens: int, n_sequences: int, seed: int, ids: Sequence[int] | None = None
) -> Tensor:
    """[L, H] attention from a token of the second copy to the one after its first occurrence.

    The mean over all tokens of the second copies in sequences of `repeated_tokens` (Olsson et al.
    2022, 2209.11895, "prefix matching"); 1 for a perfect induction head. Errors as
    `repeated_tokens`.
    """
    tokens_NT = repeated_tokens(model, n_tokens, n_sequences, seed, ids)
    return _attention_back(attention_weights(model, tokens_NT), n_tokens - 1, n_tokens)


def previous_token_scores(
    model: GPT, n_tokens: int, n_sequences: int, seed: int, ids: Sequence[int] | None = None
) -> Tensor:
    """[L, H] mean attention to the previous token, on the sequences of `induction_scores`."""
    tokens_NT = repeated_tokens(model, n_tokens, n_sequences, seed, ids)
    return _attention_back(attention_weights(model, tokens_NT), 1, 1)


def _attention_back(weights_LBHTT: Tensor, distance: int, first: int) -> Tensor:
    """[L, H] mean weight at `distance` before the query, over queries from `first` on."""
    at_distance_LBHQ = weights_LBHTT.diagonal(-distance, dim1=-2, dim2=-1)
    return at_distance_LBHQ[..., first - distance :].mean(dim=(1, 3))


def head_scores(model: GPT, ids: Sequence[int] | None = None) -> dict[str, Tensor]:
    """Both scores by name, on eight sequences as long as the model and the tokens allow, up to 64.

    Errors as `repeated_tokens`.
    """
    n_different = model.config.vocab_size if ids is None else len(set(ids))
    n_tokens = min(64, model.config.context // 2, n_different)
    arguments = (model, n_tokens, 8, 0, ids)
    return {
        "induction": induction_scores(*arguments),
        "previous_token": previous_token_scores(*arguments),
    }


@torch.no_grad()
def copy_gain(model: GPT, span: TokenSpan, n_sequences: int = 32) -> float:
    """Nats per token that the repetition of a text saves in the same context.

    The loss on stretches of `span` of half the context, minus the loss on their repetition; the
    first token of the repetition, which nothing announces, is left out.
    """
    model.eval()
    half = model.config.context // 2
    ids_N = torch.from_numpy(span.ids[: n_sequences * half].astype("int64"))
    text_BH = ids_N[: len(ids_N) // half * half].view(-1, half).to(model.head.weight.device)
    twice_BT = text_BH.repeat(1, 2)
    logits_BTV = model(twice_BT[:, :-1])
    loss_BT = F.cross_entropy(logits_BTV.transpose(1, 2), twice_BT[:, 1:], reduction="none")
    return (loss_BT[:, : half - 1].mean() - loss_BT[:, half:].mean()).item()
