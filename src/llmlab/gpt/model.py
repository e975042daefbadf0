"""A small GPT, readable from top to bottom.

The architecture of GPT-2 (Radford et al. 2019): learned positions, pre-norm blocks, GELU, and an
output layer that shares its weight with the token embedding. One class serves pretraining, LoRA and
quantisation: every matrix that adapters may target is an `nn.Linear` with a descriptive name
(`qkv`, `out`, `up`, `down`).

Shapes in names: B batch, T tokens, S tokens with those before them, D d_model, H heads, K head
width, V vocabulary.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat

import torch
from torch import Tensor, nn
from torch.nn import functional as F

IGNORE = -100
"""Target of a position that does not count in the loss."""


@dataclass(frozen=True)
class GPTConfig:
    """Shape of a GPT.

    Attributes:
        vocab_size: number of token ids.
        context: longest sequence, in tokens.
        d_model: width of the residual stream.
        n_layers: number of blocks.
        n_heads: attention heads per block; divides d_model.
        dropout: share of activations dropped while training.
    """

    vocab_size: int
    context: int
    d_model: int
    n_layers: int
    n_heads: int
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.d_model % self.n_heads:
            raise ValueError(
                f"d_model {self.d_model} is not divisible by n_heads {self.n_heads}: "
                "every head needs the same width."
            )

    @property
    def head_width(self) -> int:
        return self.d_model // self.n_heads


class KVCache:
    """Keys and values of one block for the tokens seen so far, so that each is computed once.

    Shape [B, H, context, K] each; the first `length` tokens are filled.
    """

    def __init__(self, config: GPTConfig, batch_size: int, like: Tensor) -> None:
        shape = (batch_size, config.n_heads, config.context, config.head_width)
        self.k_BHSK = like.new_zeros(shape)
        self.v_BHSK = like.new_zeros(shape)
        self.length = 0

    def extend(self, k_BHTK: Tensor, v_BHTK: Tensor) -> tuple[Tensor, Tensor]:
        """Add T tokens; keys and values of all S tokens so far, shape [B, H, S, K]."""
        start, self.length = self.length, self.length + k_BHTK.shape[2]
        self.k_BHSK[:, :, start : self.length] = k_BHTK
        self.v_BHSK[:, :, start : self.length] = v_BHTK
        return self.k_BHSK[:, :, : self.length], self.v_BHSK[:, :, : self.length]


class Attention(nn.Module):
    """Causal multi-head self-attention (Vaswani et al. 2017, section 3.2)."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.n_heads = config.n_heads
        self.dropout = config.dropout
        self.qkv = nn.Linear(config.d_model, 3 * config.d_model)
        self.out = nn.Linear(config.d_model, config.d_model)

    def forward(self, x_BTD: Tensor, cache: KVCache | None = None) -> Tensor:
        B, T, D = x_BTD.shape
        q_BHTK, k_BHSK, v_BHSK = (
            part.view(B, T, self.n_heads, D // self.n_heads).transpose(1, 2)
            for part in self.qkv(x_BTD).split(D, dim=-1)
        )
        mask_TS = None
        if cache is not None:
            mask_TS = _causal_mask(T, cache.length, x_BTD.device)
            k_BHSK, v_BHSK = cache.extend(k_BHSK, v_BHSK)
        mixed_BHTK = F.scaled_dot_product_attention(
            q_BHTK,
            k_BHSK,
            v_BHSK,
            attn_mask=mask_TS,
            dropout_p=self.dropout if self.training else 0.0,
            is_causal=cache is None,
        )
        return self.out(mixed_BHTK.transpose(1, 2).reshape(B, T, D))


def _causal_mask(n_tokens: int, n_before: int, device: torch.device) -> Tensor | None:
    """Which tokens each new one may attend to, shape [T, S]; a single one attends to all."""
    if n_tokens == 1:
        return None
    allowed_TS = torch.ones(n_tokens, n_before + n_tokens, dtype=torch.bool, device=device)
    return allowed_TS.tril(diagonal=n_before)


class MLP(nn.Module):
    """Two linear layers with a GELU between them, four times as wide inside."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.up = nn.Linear(config.d_model, 4 * config.d_model)
        self.down = nn.Linear(4 * config.d_model, config.d_model)

    def forward(self, x_BTD: Tensor) -> Tensor:
        return self.down(F.gelu(self.up(x_BTD), approximate="tanh"))


class Block(nn.Module):
    """Attention, then MLP; each reads a normalised copy and adds to the residual stream."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.d_model)
        self.attention = Attention(config)
        self.mlp_norm = nn.LayerNorm(config.d_model)
        self.mlp = MLP(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x_BTD: Tensor, cache: KVCache | None = None) -> Tensor:
        x_BTD = x_BTD + self.dropout(self.attention(self.attention_norm(x_BTD), cache))
        return x_BTD + self.dropout(self.mlp(self.mlp_norm(x_BTD)))


class GPT(nn.Module):
    """Token ids in, logits of the next token out."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.position_embedding = nn.Embedding(config.context, config.d_model)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layers))
        self.norm = nn.LayerNorm(config.d_model)
        self.head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        self.head.weight = self.token_embedding.weight
        self.apply(self._initialise)

    def _initialise(self, module: nn.Module) -> None:
        """As GPT-2: normal(0, 0.02), over sqrt(2 n_layers) for outputs into the residual stream."""
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
        residual_std = 0.02 / math.sqrt(2 * self.config.n_layers)
        if isinstance(module, Block):
            nn.init.normal_(module.attention.out.weight, std=residual_std)
            nn.init.normal_(module.mlp.down.weight, std=residual_std)

    def forward(self, tokens_BT: Tensor, cache: Sequence[KVCache] | None = None) -> Tensor:
        """Logits, shape [B, T, V], for token ids of shape [B, T].

        Args:
            cache: from `new_cache`; the tokens then continue those that it has seen.

        Raises:
            ValueError: the sequence, with the tokens in the cache, is longer than the context.
        """
        before = cache[0].length if cache else 0
        after = before + tokens_BT.shape[1]
        if self.config.context < after:
            raise ValueError(
                f"a sequence of {after} tokens does not fit the context of {self.config.context}: "
                "shorten it or train a model with a longer context."
            )
        positions_T = torch.arange(before, after, device=tokens_BT.device)
        x_BTD = self.token_embedding(tokens_BT) + self.position_embedding(positions_T)
        x_BTD = self.dropout(x_BTD)
        for block, block_cache in zip(self.blocks, cache or repeat(None), strict=False):
            x_BTD = block(x_BTD, block_cache)
        return self.head(self.norm(x_BTD))

    def new_cache(self, batch_size: int) -> list[KVCache]:
        """An empty cache for decoding `batch_size` sequences token by token."""
        like = self.position_embedding.weight
        return [KVCache(self.config, batch_size, like) for _ in self.blocks]

    def n_parameters(self) -> int:
        """Parameters with the shared embedding counted once."""
        return sum(parameter.numel() for parameter in self.parameters())


def next_token_loss(logits_BTV: Tensor, targets_BT: Tensor) -> Tensor:
    """Mean cross-entropy in nats over the positions whose target is not `IGNORE`."""
    return F.cross_entropy(
        logits_BTV.flatten(0, 1).float(), targets_BT.flatten(), ignore_index=IGNORE
    )
