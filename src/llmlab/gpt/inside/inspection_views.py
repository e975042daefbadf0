"""Views of the inside of a model: plain JSON that fits a page; its "kind" says what it shows."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from llmlab.gpt.generation import SamplingConfig, require_known, stream_text
from llmlab.gpt.inside.inspection import LayerActivations, attention_weights, logit_lens
from llmlab.gpt.model import GPT
from llmlab.gpt.text.text_tokenizers import TextTokenizer
from llmlab.method.errors import LabError

MAPS_BYTES = 600_000
"""Most bytes of JSON for the attention maps of one view; the texts are cut to fit."""

LENS_TOKENS = 128
"""Most tokens of a text in a view of the logit lens."""

View = dict[str, object]
Curve = Sequence[tuple[int, float]]
"""(step, loss) of some steps."""


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
