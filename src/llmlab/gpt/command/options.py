"""The options of `llmlab train`."""

from dataclasses import dataclass
from typing import Annotated

from typer import Option

from llmlab.method.options import LARGEST_BATCH, LARGEST_SEED

TOKENIZERS = ("bpe", "characters", "gpt2")
PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class TrainOptions:
    """What to train, and how; None takes the configuration's value."""

    config: Annotated[str, Option(metavar="NAME", help="Size: micro, nano, small or medium.")] = (
        "micro"
    )
    corpus: Annotated[
        str,
        Option(metavar="NAME|PATH", help="stdlib, verdict, tinyshakespeare, or a file or folder."),
    ] = "stdlib"
    epochs: Annotated[float, Option(help="Passes over the text.")] = 1.0
    steps: Annotated[int | None, Option(min=1, help="Optimizer steps, instead of --epochs.")] = None
    tokenizer: Annotated[
        str,
        Option(
            metavar="KIND|PATH",
            help="bpe (trained on the text), characters, gpt2, or a tokenizer's file.",
        ),
    ] = "bpe"
    batch_size: Annotated[
        int | None,
        Option(min=1, max=LARGEST_BATCH, help="Sequences per step. Default: the configuration's."),
    ] = None
    context: Annotated[
        int | None, Option(min=1, help="Tokens per sequence. Default: the configuration's.")
    ] = None
    learning_rate: Annotated[
        float | None, Option(help="Peak rate. Default: the configuration's.")
    ] = None
    dropout: Annotated[
        float, Option(min=0, max=0.9, help="Share of activations dropped while training.")
    ] = 0.0
    validation_share: Annotated[
        float, Option(help="Share of the text, at its end, for validation.")
    ] = 0.1
    seed: Annotated[
        int,
        Option(
            min=0,
            max=LARGEST_SEED,
            help="Random seed of the weights, the text's order, and dropout.",
        ),
    ] = 0
    precision: Annotated[
        str, Option(help="float32, bfloat16, or auto: bfloat16 where the hardware has it.")
    ] = "auto"
    compiled: Annotated[bool, Option("--compile", help="Compile the model with torch.compile.")] = (
        False
    )
    accumulate: Annotated[
        int, Option(min=1, help="Compute a batch in this many parts, to save memory.")
    ] = 1
