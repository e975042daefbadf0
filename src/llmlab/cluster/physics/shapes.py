"""Models: sizes, exact parameter counts, floating-point operations.

One dataclass covers dense GPT, Llama with grouped queries, mixtures of experts, and DeepSeek's
latent attention; unused fields have neutral values.
"""

import math
import re
from dataclasses import dataclass, replace

from llmlab.method.declare.catalog import suggestion
from llmlab.method.errors import LabError
from llmlab.method.options import parse_count


@dataclass(frozen=True)
class LatentAttention:
    """Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434, section 2.1): its inner sizes."""

    query_rank: int
    key_value_rank: int
    rotary_dim: int
    value_dim: int


@dataclass(frozen=True)
class Shape:
    """The sizes of a decoder-only transformer.

    Attributes:
        heads, kv_heads: numbers of query heads and of key-value heads; equal without grouping.
        head_dim: dimension of queries and keys.
        d_ff: inner width of a dense feed-forward layer.
        gated: whether there are three feed-forward matrices (SwiGLU) instead of two.
        tied: whether the head shares the weights of the embedding.
        biases: whether linear layers have biases and norms a shift (GPT-2, not Llama).
        positions: rows of a learned position embedding; 0 without one.
        experts, experts_per_token: sizes of a mixture; 0 in a dense model.
        shared_experts: number of experts that every token visits in addition.
        expert_d_ff: inner width of one expert.
        dense_layers: number of first layers without experts in a mixture.
        window: attention window of half of the layers, in tokens; 0 for none.
    """

    name: str
    layers: int
    d_model: int
    heads: int
    kv_heads: int
    head_dim: int
    d_ff: int
    vocab: int
    gated: bool = False
    tied: bool = True
    biases: bool = True
    positions: int = 0
    experts: int = 0
    experts_per_token: int = 0
    shared_experts: int = 0
    expert_d_ff: int = 0
    dense_layers: int = 0
    window: int = 0
    latent: LatentAttention | None = None

    @property
    def moe_layers(self) -> int:
        return self.layers - self.dense_layers if self.experts else 0

    @property
    def value_dim(self) -> int:
        return self.latent.value_dim if self.latent else self.head_dim

    @property
    def attention_matrices(self) -> tuple[int, ...]:
        """Weights of each matrix of one attention layer, in the order of the forward pass."""
        d, h = self.d_model, self.heads
        if self.latent:
            inner = self.latent
            queries = (d * inner.query_rank, inner.query_rank * h * self.head_dim)
            down = d * (inner.key_value_rank + inner.rotary_dim)
            up = inner.key_value_rank * h * (self.head_dim - inner.rotary_dim + inner.value_dim)
            return (*queries, down, up, h * inner.value_dim * d)
        keys = d * self.head_dim * self.kv_heads
        return (d * self.head_dim * h, keys, keys, d * self.head_dim * h)

    @property
    def attention_weights(self) -> int:
        """Weights of the matrices of one attention layer."""
        return sum(self.attention_matrices)

    @property
    def active_matrices(self) -> tuple[int, ...]:
        """Weights of each matrix of one layer that a token uses, in the order of the forward pass;
        those of all experts that it visits count as one."""
        visits = self.experts_per_token + self.shared_experts
        width = visits * self.expert_d_ff if self.experts else self.d_ff
        return (*self.attention_matrices, *self.feed_forward_matrices * (self.d_model * width,))

    @property
    def every_second_share(self) -> float:
        """Share of every second matrix product in the FLOPs of a layer's products."""
        return sum(self.active_matrices[1::2]) / sum(self.active_matrices)

    @property
    def last_share(self) -> float:
        """Share of the last matrix product in the FLOPs of a layer's products."""
        return self.active_matrices[-1] / sum(self.active_matrices)

    @property
    def dense_weights(self) -> int:
        """Weights of the matrices of one dense feed-forward layer."""
        return self.feed_forward_matrices * self.d_model * self.d_ff

    @property
    def expert_weights(self) -> int:
        """Weights of the matrices of one expert."""
        return self.feed_forward_matrices * self.d_model * self.expert_d_ff

    @property
    def feed_forward_matrices(self) -> int:
        return 3 if self.gated else 2

    @property
    def embedding_weights(self) -> int:
        return self.vocab * self.d_model

    @property
    def small_weights(self) -> int:
        """Norms, biases, routers and positions, over the whole model."""
        d = self.d_model
        norms = (2 * self.layers + 1) * d * (2 if self.biases else 1)
        routers = self.moe_layers * d * self.experts
        ranks = self.latent.query_rank + self.latent.key_value_rank if self.latent else 0
        biases = 0
        if self.biases:
            qkv = self.head_dim * (self.heads + 2 * self.kv_heads)
            biases = self.layers * (qkv + d + (self.feed_forward_matrices - 1) * self.d_ff + d)
        return norms + routers + self.layers * ranks + biases + self.positions * d

    @property
    def parameters(self) -> int:
        """All parameters, exactly; the embedding counts once if it is tied."""
        embeddings = self.embedding_weights * (1 if self.tied else 2)
        return embeddings + self._layers(self.experts + self.shared_experts) + self.small_weights

    @property
    def active_parameters(self) -> int:
        """Parameters used by one token."""
        embeddings = self.embedding_weights * (1 if self.tied else 2)
        visited = self.experts_per_token + self.shared_experts
        return embeddings + self._layers(visited) + self.small_weights

    @property
    def matmul_weights(self) -> int:
        """Weights in matrix products per token: all active matrices, including the head."""
        visited = self.experts_per_token + self.shared_experts
        return self._layers(visited) + self.embedding_weights

    def _layers(self, experts: int) -> int:
        dense = self.layers - self.moe_layers
        feed_forward = dense * self.dense_weights + self.moe_layers * experts * self.expert_weights
        return self.layers * self.attention_weights + feed_forward

    def attended(self, seq_len: int) -> float:
        """Tokens that a query attends to, on average over positions and layers."""
        whole = (seq_len + 1) / 2
        if not self.window or self.window >= seq_len:
            return whole
        inside = self.window - self.window * (self.window - 1) / (2 * seq_len)
        return (whole + inside) / 2

    def flops_per_token(self, seq_len: int) -> float:
        """FLOPs per token, forward and backward, without recomputation or masked attention.

        Chowdhery et al. 2022 (PaLM, arXiv:2204.02311), appendix B, but with causal attention.
        """
        attention = 2 * self.layers * self.heads * (self.head_dim + self.value_dim)
        return 6 * self.matmul_weights + 3 * attention * self.attended(seq_len)


def gpt(name: str, layers: int, d_model: int, heads: int, vocab: int = 50257, **more) -> Shape:
    """A GPT, with equal numbers of query and key heads, and four times the width inside."""
    sizes = {"head_dim": d_model // heads, "d_ff": 4 * d_model, "kv_heads": heads, "vocab": vocab}
    return Shape(name, layers, d_model, heads, **{**sizes, **more})


def llama(
    name: str, layers: int, d_model: int, heads: int, kv_heads: int, d_ff: int, vocab: int, **more
) -> Shape:
    """A Llama: grouped queries, gated feed-forward layers, no biases, an untied head."""
    style = {"gated": True, "tied": False, "biases": False, "head_dim": d_model // heads}
    sizes = {"kv_heads": kv_heads, "d_ff": d_ff, "vocab": vocab}
    return Shape(name, layers, d_model, heads, **{**style, **sizes, **more})


def moe(
    base: Shape, experts: int, experts_per_token: int, expert_d_ff: int, **more: object
) -> Shape:
    """`base` with experts instead of its feed-forward layers."""
    mixture = {"experts": experts, "experts_per_token": experts_per_token}
    return replace(base, **mixture, expert_d_ff=expert_d_ff, **more)


def _mla(name: str, d_ff: int, heads: int, vocab: int) -> Shape:
    inner = LatentAttention(query_rank=1536, key_value_rank=512, rotary_dim=64, value_dim=128)
    return llama(name, 61, 7168, heads, heads, d_ff, vocab, head_dim=192, latent=inner)


NEMOTRON = {"tied": False, "biases": False}

SHAPES = (
    gpt("GPT-2 124M", 12, 768, 12, positions=1024),
    gpt("GPT-2 1.5B", 48, 1600, 25, positions=1024),
    gpt("GPT-3 175B", 96, 12288, 96, positions=2048),
    gpt("Megatron 22B", 48, 6144, 64, 51200, positions=2048),
    gpt("Megatron 1T", 128, 25600, 160, 51200, positions=2048),
    gpt("BLOOM 176B", 70, 14336, 112, 250880),
    gpt("GPT-J 6B", 28, 4096, 16, 50400, tied=False),
    gpt("GPT-NeoX 20B", 44, 6144, 64, 50432, tied=False),
    gpt("OPT 175B", 96, 12288, 96, 50272, positions=2050),
    gpt("MT-NLG 530B", 105, 20480, 128, positions=2048),
    gpt("Nemotron-4 15B", 32, 6144, 48, 256000, kv_heads=8, **NEMOTRON),
    gpt("Nemotron-4 340B", 96, 18432, 96, 256000, kv_heads=8, **NEMOTRON),
    llama("Llama 7B", 32, 4096, 32, 32, 11008, 32000),
    llama("Llama 13B", 40, 5120, 40, 40, 13824, 32000),
    llama("Llama 33B", 60, 6656, 52, 52, 17920, 32000),
    llama("Llama 65B", 80, 8192, 64, 64, 22016, 32000),
    llama("TinyLlama 1.1B", 22, 2048, 32, 4, 5632, 32000),
    llama("Llama 2 7B", 32, 4096, 32, 32, 11008, 32000),
    llama("Llama 2 13B", 40, 5120, 40, 40, 13824, 32000),
    llama("Llama 2 70B", 80, 8192, 64, 8, 28672, 32000),
    llama("Llama 3.2 1B", 16, 2048, 32, 8, 8192, 128256, tied=True),
    llama("Llama 3.2 3B", 28, 3072, 24, 8, 8192, 128256, tied=True),
    llama("Llama 3.1 8B", 32, 4096, 32, 8, 14336, 128256),
    llama("Llama 3.1 70B", 80, 8192, 64, 8, 28672, 128256),
    llama("Llama 3.1 405B", 126, 16384, 128, 8, 53248, 128256),
    llama("Mistral 7B", 32, 4096, 32, 8, 14336, 32000),
    llama("Qwen2.5 0.5B", 24, 896, 14, 2, 4864, 151936, tied=True),
    llama("Qwen2.5 1.5B", 28, 1536, 12, 2, 8960, 151936, tied=True),
    llama("Qwen2.5 3B", 36, 2048, 16, 2, 11008, 151936, tied=True),
    llama("Qwen2.5 7B", 28, 3584, 28, 4, 18944, 152064),
    llama("Qwen2.5 14B", 48, 5120, 40, 8, 13824, 152064),
    llama("Qwen2.5 32B", 64, 5120, 40, 8, 27648, 152064),
    llama("Qwen2.5 72B", 80, 8192, 64, 8, 29568, 152064),
    llama("Qwen3 0.6B", 28, 1024, 16, 8, 3072, 151936, head_dim=128, tied=True),
    llama("Qwen3 1.7B", 28, 2048, 16, 8, 6144, 151936, head_dim=128, tied=True),
    llama("Qwen3 4B", 36, 2560, 32, 8, 9728, 151936, head_dim=128, tied=True),
    llama("Qwen3 8B", 36, 4096, 32, 8, 12288, 151936, head_dim=128),
    llama("Qwen3 14B", 40, 5120, 40, 8, 17408, 151936, head_dim=128),
    llama("Qwen3 32B", 64, 5120, 64, 8, 25600, 151936, head_dim=128),
    moe(llama("Mixtral 8x7B", 32, 4096, 32, 8, 14336, 32000), 8, 2, 14336),
    moe(llama("Mixtral 8x22B", 56, 6144, 48, 8, 16384, 32768), 8, 2, 16384),
    moe(llama("Qwen3 30B A3B", 48, 2048, 32, 4, 6144, 151936, head_dim=128), 128, 8, 768),
    moe(llama("Qwen3 235B A22B", 94, 4096, 64, 4, 12288, 151936, head_dim=128), 128, 8, 1536),
    moe(llama("GPT OSS 20B", 24, 2880, 64, 8, 2880, 201088, head_dim=64, window=128), 32, 4, 2880),
    moe(
        llama("GPT OSS 120B", 36, 2880, 64, 8, 2880, 201088, head_dim=64, window=128), 128, 4, 2880
    ),
    moe(_mla("DeepSeek V3", 18432, 128, 129280), 256, 8, 2048, shared_experts=1, dense_layers=3),
    moe(_mla("Kimi K2", 18432, 64, 163840), 384, 8, 2048, shared_experts=1, dense_layers=1),
)
"""Public sizes: GPT-2 and GPT-3 from their papers (GPT-3: table 2.1), Megatron from
arXiv:2205.05198, table 3, BLOOM from arXiv:2211.05100, table 3, OPT from arXiv:2205.01068, table 1,
MT-NLG from arXiv:2201.11990, section 3.2, Nemotron-4 from arXiv:2402.16819 and 2406.11704, table 1,
the first Llama from arXiv:2302.13971, table 2, the others from the `config.json` of their release.
Of Qwen2.5 the biases of queries, keys and values are left out."""

SAME = {
    "llama30b": "Llama 33B",
    "llama38b": "Llama 3.1 8B",
    "llama370b": "Llama 3.1 70B",
    "llama3405b": "Llama 3.1 405B",
    "llama3370b": "Llama 3.1 70B",
    "mtnlg": "MT-NLG 530B",
    "opt": "OPT 175B",
    "gpt3": "GPT-3 175B",
    "gpt2": "GPT-2 124M",
    "bloom": "BLOOM 176B",
    "deepseekv3671b": "DeepSeek V3",
    "deepseekr1": "DeepSeek V3",
}
RELEASE = re.compile(r"^.*/(?:meta-)?|^meta-|-(?:base|chat|hf|instruct|it|\d{4}|v0\.\d)(?=-|$)")
"""What a hub adds to a model's name: an owner before it, the kind of release after it."""


def known_shape(name: str) -> Shape | None:
    """Find a public model by name or hub id, or None; case and punctuation do not matter."""
    key = _key(RELEASE.sub("", name.strip().casefold()))
    return _by_key().get(_key(SAME.get(key, key)))


def shape_named(name: str) -> Shape:
    """Find a public model by name, or build a GPT with a number of parameters such as "1.3B".

    Raises:
        LabError: the name is neither, or no model has so many parameters.
    """
    if found := known_shape(name):
        return found
    parameters = parse_count(name.strip())
    if not math.isnan(parameters):
        return gpt_of(parameters)
    names = [shape.name for shape in SHAPES]
    raise LabError(
        f'there is no model "{name}"{suggestion(name, names)}; give a number of parameters, as '
        f"in 7B, or one of {', '.join(names)}."
    )


def gpt_of(parameters: float) -> Shape:
    """A GPT with about this many parameters, about 100 times as wide as deep.

    Raises:
        LabError: fewer than 1e6 or more than 1e14 parameters.
    """
    if not 1e6 <= parameters <= 1e14:
        raise LabError(
            f"a model cannot have {parameters:g} parameters; give a number from 1M to 100T."
        )
    layers = max(2, round((parameters / (12 * 100**2)) ** (1 / 3)))
    width = math.sqrt(parameters / (12 * layers))
    head_dim = 128 if width >= 1024 else 64
    heads = max(1, round(width / head_dim))
    return gpt(f"GPT {_short(parameters)}", layers, heads * head_dim, heads)


def shape_like(
    name: str, layers: int, d_model: int, heads: int, parameters: float | None = None
) -> Shape:
    """The shape for the sizes given in a table of runs.

    A public model with this name if the sizes agree, else a GPT whose feed-forward width follows
    from the given number of parameters.
    """
    public = known_shape(name)
    if public and (public.layers, public.d_model, public.heads) == (layers, d_model, heads):
        return public
    plain = gpt(name, layers, d_model, heads, vocab=50304)
    if not parameters:
        return plain
    rest = (parameters - plain.embedding_weights) / layers - plain.attention_weights
    d_ff = round(rest / (2 * d_model))
    usual = abs(d_ff / plain.d_ff - 1) < 0.25 or d_ff <= 0
    return plain if usual else replace(plain, d_ff=d_ff)


def _by_key() -> dict[str, Shape]:
    return {_key(shape.name): shape for shape in SHAPES}


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def _short(parameters: float) -> str:
    for size, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if parameters >= size:
            return f"{parameters / size:.3g}{unit}"
    return f"{parameters:.0f}"
