"""Four sizes of GPT, from one that two cores train in minutes to GPT-2's own.

The vocabulary grows with the model: GPT-2's 50,257 ids would make the embedding of nano larger
than all the rest of it.
"""

from dataclasses import dataclass

from llmlab.gpt.model import GPTConfig
from llmlab.method.declare.catalog import suggestion
from llmlab.method.errors import LabError


@dataclass(frozen=True)
class Preset:
    """A named shape, and how it is trained by default.

    Attributes:
        shape: with the vocabulary that suits it; a corpus with fewer tokens uses fewer ids.
        batch_size: sequences per step.
        learning_rate: peak rate.
    """

    name: str
    shape: GPTConfig
    batch_size: int
    learning_rate: float

    def n_parameters(self, tied: bool = True) -> int:
        """Parameters; `tied` counts the matrix that embedding and output layer share once."""
        return n_parameters(self.shape, tied)


def n_parameters(shape: GPTConfig, tied: bool = True) -> int:
    """Parameters of a model of this shape, without making it.

    A block has 4 d² in attention, 8 d² in the MLP, and 13 d in biases and norms.
    """
    d = shape.d_model
    blocks = shape.n_layers * (12 * d**2 + 13 * d)
    embeddings = (shape.vocab_size + shape.context) * d
    return blocks + embeddings + 2 * d + (0 if tied else shape.vocab_size * d)


PRESETS = {
    preset.name: preset
    for preset in (
        # 0.94M parameters, 1.07M untied
        Preset(
            name="micro",
            shape=GPTConfig(vocab_size=1024, context=128, d_model=128, n_layers=4, n_heads=4),
            batch_size=16,
            learning_rate=2e-3,
        ),
        # 10.5M, 12.1M untied
        Preset(
            name="nano",
            shape=GPTConfig(vocab_size=4096, context=256, d_model=384, n_layers=5, n_heads=6),
            batch_size=32,
            learning_rate=1e-3,
        ),
        # 50.2M, 60.7M untied
        Preset(
            name="small",
            shape=GPTConfig(vocab_size=16_384, context=512, d_model=640, n_layers=8, n_heads=10),
            batch_size=64,
            learning_rate=6e-4,
        ),
        # 124.4M, 163.0M untied: GPT-2's shape (Radford et al. 2019, table 2)
        Preset(
            name="medium",
            shape=GPTConfig(vocab_size=50_257, context=1024, d_model=768, n_layers=12, n_heads=12),
            batch_size=64,
            learning_rate=6e-4,
        ),
    )
}


def preset(name: str) -> Preset:
    """Find a preset by name.

    Raises:
        LabError: there is none.
    """
    if name not in PRESETS:
        raise LabError(
            f"there is no configuration '{name}'{suggestion(name, PRESETS)}: "
            f"choose one of {', '.join(PRESETS)}."
        )
    return PRESETS[name]
