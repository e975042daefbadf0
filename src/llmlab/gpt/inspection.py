"""A look inside a model: what its heads attend to, what its layers hold, what each would predict.

Everything is computed from the modules' outputs (forward hooks); the model is not
changed, except that it is left in evaluation mode. A view is what a page needs to draw one of
these: plain JSON, small enough for a page, whose "kind" says what it shows.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llmlab.gpt.generation import SamplingConfig, require_known, stream_text
from llmlab.gpt.model import GPT
from llmlab.gpt.text_tokenizers import TextTokenizer
from llmlab.gpt.token_dataset import TokenSpan
from llmlab.method.errors import LabError

DEAD = 0.01
"""A GELU unit is dead if it is nearer to zero than this on every token."""

MAPS_BYTES = 600_000
"""Most bytes of JSON for the attention maps of one view; the texts are cut to fit."""

LENS_TOKENS = 128
"""Most tokens of a text in a view of the logit lens."""

View = dict[str, object]
Curve = Sequence[tuple[int, float]]
"""(step, loss) of some steps."""


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


def attention_view(
    model: GPT,
    tokenizer: TextTokenizer,
    texts: Sequence[str],
    step: int | None = None,
    scores: Mapping[str, Tensor] | None = None,
) -> View:
    """What each head attends to in each text; texts are cut to fit the model and the page.

    Args:
        step: of the checkpoint that `model` is.
        scores: [L, H] by name, such as from `head_scores`.

    Raises:
        LabError: a text is empty, or holds a token that the model does not know.
    """
    shape = model.config
    longest = _n_tokens_of_maps(len(texts) * shape.n_layers * shape.n_heads)
    return {
        "kind": "attention",
        "n_layers": shape.n_layers,
        "n_heads": shape.n_heads,
        "texts": [_attention_of(model, tokenizer, text, longest, step) for text in texts],
        "scores": {name: _rounded(score_LH.tolist()) for name, score_LH in (scores or {}).items()},
    }


def logit_lens_view(model: GPT, tokenizer: TextTokenizer, texts: Sequence[str]) -> View:
    """The three likeliest next tokens and the loss in nats, by layer and position of each text.

    Errors as `attention_view`.
    """
    return {
        "kind": "logit_lens",
        "texts": [_lens_of(model, tokenizer, text) for text in texts],
    }


def activations_view(checkpoints: Mapping[int, Sequence[LayerActivations]]) -> View:
    """`activation_statistics` of one model, or of several checkpoints, by step."""
    return {
        "kind": "activations",
        "checkpoints": [
            {"step": step, "layers": [_flat(layer) for layer in layers]}
            for step, layers in checkpoints.items()
        ],
    }


@dataclass(frozen=True)
class Look:
    """A model at one step: what it writes, and its attention in the layout of `attention_view`."""

    step: int
    sample: str
    attention: View


def checkpoint_view(looks: Sequence[Look], train: Curve, validation: Curve) -> View:
    """A model while it learns; every text is cut so that the view fits a page.

    Args:
        train: loss of batches; each step shows the last one so far.
        validation: each step shows its own.
    """
    maps = sum(map(len, (layer for look in looks for layer in look.attention["weights"])))
    longest = _n_tokens_of_maps(maps)
    validation_at = dict(validation)
    return {
        "kind": "checkpoints",
        "curve": {"train": _points(train), "validation": _points(validation)},
        "steps": [
            {
                "step": look.step,
                "train_loss": next((x for step, x in reversed(train) if step <= look.step), None),
                "validation_loss": validation_at.get(look.step),
                "sample": look.sample,
                "attention": _cut(look.attention, longest),
            }
            for look in looks
        ],
    }


class CheckpointBrowser:
    """Looks at a model during training and keeps what a page shows of each step."""

    def __init__(
        self,
        model: GPT,
        tokenizer: TextTokenizer,
        text: str = "the cat sat on the mat. the cat sat on the mat.",
        prompt: str = "\n",
        n_tokens: int = 120,
    ) -> None:
        """Look at the attention in `text`, and at `n_tokens` tokens that continue `prompt`."""
        self.model = model
        self.tokenizer = tokenizer
        self.text = text
        self.prompt = prompt
        self.n_tokens = n_tokens
        self._looks: list[Look] = []

    def look(self, step: int) -> None:
        """Look at the model as it is now; errors as `attention_view`."""
        config = SamplingConfig(temperature=0.8, top_k=50)
        written = stream_text(self.model, self.tokenizer, self.prompt, self.n_tokens, config)
        shape = self.model.config
        longest = _n_tokens_of_maps(shape.n_layers * shape.n_heads)
        attention = _attention_of(self.model, self.tokenizer, self.text, longest, step)
        self._looks.append(Look(step, self.prompt + "".join(written), attention))

    def view(self, curves: Mapping[str, Curve]) -> View:
        """All looks, with the curves "loss" and "validation_loss" of the run."""
        return checkpoint_view(self._looks, curves["loss"], curves["validation_loss"])


def _attention_of(
    model: GPT, tokenizer: TextTokenizer, text: str, longest: int, step: int | None
) -> View:
    ids = _read(model, tokenizer, text, longest)
    weights_LHTT = attention_weights(model, _tokens_of(model, ids))[:, 0]
    return {
        "tokens": [tokenizer.token_text(index) for index in ids],
        "weights": _lower_triangles((weights_LHTT * 255).round().int().tolist()),
        "checkpoint": step,
    }


def _lens_of(model: GPT, tokenizer: TextTokenizer, text: str) -> View:
    ids = _read(model, tokenizer, text, LENS_TOKENS)
    log_share_LTV = logit_lens(model, _tokens_of(model, ids))[:, 0].float().log_softmax(dim=-1)
    names = ["embedding", *(f"block {number}" for number in range(1, len(log_share_LTV)))]
    return {
        "tokens": [tokenizer.token_text(index) for index in ids],
        "layers": [
            {
                "name": name,
                "top": _likeliest(tokenizer, log_share_TV),
                "loss": _losses(log_share_TV, ids),
            }
            for name, log_share_TV in zip(names, log_share_LTV, strict=True)
        ],
    }


def _likeliest(tokenizer: TextTokenizer, log_share_TV: Tensor) -> list[list[tuple[str, float]]]:
    """Up to three next tokens at each position, of those that the tokenizer has."""
    known_TV = log_share_TV[:, : tokenizer.vocab_size]
    top = known_TV.topk(min(3, known_TV.shape[1]), dim=-1)
    return [
        [
            (tokenizer.token_text(index), round(math.exp(log_share), 3))
            for index, log_share in zip(indices, log_shares, strict=True)
        ]
        for indices, log_shares in zip(top.indices.tolist(), top.values.tolist(), strict=True)
    ]


def _losses(log_share_TV: Tensor, ids: Sequence[int]) -> list[float | None]:
    """Nats of each next token; None at the last position, whose next token is not known."""
    targets_T = torch.tensor(ids[1:], dtype=torch.int64, device=log_share_TV.device)
    loss_T = F.nll_loss(log_share_TV[:-1], targets_T, reduction="none")
    return [*_rounded(loss_T.tolist()), None]


def _read(model: GPT, tokenizer: TextTokenizer, text: str, longest: int) -> list[int]:
    ids = tokenizer.encode(text)[: min(longest, model.config.context)]
    if not ids:
        raise LabError("there is no text to look at: give one of at least one character.")
    require_known(model, ids)
    return ids


def _tokens_of(model: GPT, ids: Sequence[int]) -> Tensor:
    return torch.tensor([ids], device=model.head.weight.device)


def _lower_triangles(layers: list[list[list[list[int]]]]) -> list[list[list[list[int]]]]:
    """The keys that a query may attend to, in each head's map."""
    return [
        [[row[: query + 1] for query, row in enumerate(head)] for head in heads] for heads in layers
    ]


def _cut(attention: View, longest: int) -> View:
    """The same for the start of the text, which later tokens cannot change."""
    return attention | {
        "tokens": attention["tokens"][:longest],
        "weights": [[head[:longest] for head in heads] for heads in attention["weights"]],
    }


def _n_tokens_of_maps(n_maps: int) -> int:
    """Most tokens T at which so many maps, of T (T + 1) / 2 numbers, fit `MAPS_BYTES`."""
    numbers = MAPS_BYTES / (3 * max(1, n_maps))  # two digits and a comma each
    return max(2, int((math.sqrt(8 * numbers + 1) - 1) / 2))


def _flat(layer: LayerActivations) -> dict[str, str | float]:
    stream = asdict(layer.stream)
    mlp = {f"mlp_{name}": value for name, value in asdict(layer.mlp).items()}
    return {"name": layer.name} | _significant(stream | mlp | {"dead_share": layer.dead_share})


def _significant(values: Mapping[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.4g}") for name, value in values.items()}


def _points(curve: Curve) -> list[list[float]]:
    return [[step, round(loss, 4)] for step, loss in curve]


def _rounded(values: list) -> list:
    """Numbers in nested lists, with four digits after the point."""
    return [_rounded(x) if isinstance(x, list) else round(x, 4) for x in values]
