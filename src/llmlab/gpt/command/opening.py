"""From the user's options to a run that can begin."""

import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import torch

from llmlab.gpt.command.options import PRECISIONS, TOKENIZERS, TrainOptions
from llmlab.gpt.command.session import PretrainingSession
from llmlab.gpt.configs import n_parameters, preset
from llmlab.gpt.distributed import Workers
from llmlab.gpt.pretraining import PretrainingRecipe
from llmlab.gpt.saved.checkpoints import require_checkpoint
from llmlab.gpt.saved.saved_runs import require_new
from llmlab.gpt.text.corpora import CORPORA, CorpusText, left_out, open_texts
from llmlab.gpt.text.encoded_corpus import (
    EncodedCorpus,
    byte_pairs,
    each_character,
    encode,
)
from llmlab.gpt.text.text_tokenizers import TextTokenizer, gpt2_tokenizer, load_tokenizer
from llmlab.gpt.text.token_dataset import TokenBatches
from llmlab.gpt.training import Precision, TrainConfig, best_precision
from llmlab.method.declare.catalog import suggestion
from llmlab.method.documents import escaped, listed
from llmlab.method.errors import LabError
from llmlab.method.options import require_epochs, require_learning_rate
from llmlab.method.wording import counted
from llmlab.runs.folder import RunFolder, default_folder

SHOWN = 3
"""Files left out of a corpus that are named."""


@contextmanager
def open_session(
    options: TrainOptions,
    out: Path | None,
    workers: Workers,
    *,
    checkpoint_every: int | None = None,
    keep: int = 3,
    resume: bool = False,
) -> Iterator[PretrainingSession]:
    """A run that can begin, its text cut into tokens; its folder is held until the block ends.

    Args:
        out: the run's folder; by default one in runs/ that is named after the options.
        resume: whether to continue the run that is there.

    Raises:
        LabError: the folder is taken, or holds nothing to resume; an option names something that
            does not exist or is out of range; the text is too short for the context, or cannot be
            loaded.
    """
    _check_ranges(options)
    preset(options.config)  # raises if there is none of that name
    folder = out or _default_folder(options)
    with RunFolder(folder).held() if workers.is_first else nullcontext():
        if resume:
            require_checkpoint(folder)
        elif workers.is_first:
            require_new(folder)
        recipe, encoded = _prepared(options, workers.device)
        yield PretrainingSession(folder, recipe, encoded, checkpoint_every, keep)


def _default_folder(options: TrainOptions) -> Path:
    corpus = options.corpus
    name = corpus if corpus in CORPORA else Path(corpus).resolve().name
    return default_folder(options.config, name, seed=options.seed)


def _prepared(
    options: TrainOptions, device: torch.device
) -> tuple[PretrainingRecipe, EncodedCorpus]:
    chosen = preset(options.config)
    precision = _precision(options.precision, device)
    corpus = open_texts(options.corpus)
    tokenizer = _tokenizer(options.tokenizer, corpus, chosen.shape.vocab_size)
    encoded = encode(corpus, tokenizer)
    shape = replace(
        chosen.shape,
        vocab_size=tokenizer.vocab_size,
        context=options.context or chosen.shape.context,
        dropout=options.dropout,
    )
    batch_size = options.batch_size or chosen.batch_size
    _require_parts(batch_size, options.accumulate)
    training, validation = encoded.tokens.split(options.validation_share)
    TokenBatches(validation, shape.context, 1, options.seed)  # raises if it is too short
    batches = TokenBatches(training, shape.context, batch_size, options.seed)
    steps = options.steps or max(1, batches.steps(options.epochs))
    recipe = PretrainingRecipe(
        shape=shape,
        train=TrainConfig(
            learning_rate=options.learning_rate or chosen.learning_rate,
            steps=steps,
            weight_decay=0.1,
            accumulate=options.accumulate,
            precision=precision,
        ),
        batch_size=batch_size,
        seed=options.seed,
        validation_share=options.validation_share,
        validate_every=max(50, math.ceil(steps / 20)),
        compiled=options.compiled,
    )
    return recipe, encoded


def _require_parts(batch_size: int, accumulate: int) -> None:
    """Raise LabError if a batch has fewer sequences than parts."""
    if accumulate > batch_size:
        raise LabError(
            f"a batch of {batch_size} sequences cannot be computed in {accumulate} parts: "
            "take a larger --batch-size or a smaller --accumulate."
        )


def describe(session: PretrainingSession, corpus_option: str) -> str:
    """A few lines on what is about to be trained, on which text, and what is left out of it."""
    recipe, corpus = session.recipe, session.encoded.corpus
    shape, tokens = recipe.shape, len(session.encoded.tokens.ids)
    tied, untied = n_parameters(shape), n_parameters(shape, tied=False)
    return (
        f"{tied / 1e6:.2f}M parameters ({untied / 1e6:.2f}M untied): {shape.n_layers} layers, "
        f"{shape.n_heads} heads, d_model {shape.d_model}, context {shape.context}, "
        f"vocabulary {shape.vocab_size:,}\n"
        f"{corpus.name}: {corpus.bytes:,} bytes, {tokens:,} tokens; "
        f"{counted(recipe.train.steps, 'step')} of {counted(recipe.batch_size, 'sequence')} in "
        f"{recipe.train.precision}\n{_about(corpus_option, corpus)}"
    ).rstrip()


def _about(option: str, corpus: CorpusText) -> str:
    """A named corpus's description and licence; what was not read of a folder."""
    if known := CORPORA.get(option):
        return f"{known.description} (licence: {known.licence})"
    reasons = left_out(Path(option), corpus) if Path(option).is_dir() else {}
    told = [f"{escaped(path)} ({why})" for path, why in reasons.items()]
    return f"left out: {listed(told, SHOWN)}" if told else ""


def _check_ranges(options: TrainOptions) -> None:
    if not options.corpus:
        raise LabError(f"--corpus is empty: name one of {', '.join(CORPORA)}, or a path.")
    require_epochs(options.epochs)
    if options.learning_rate is not None:
        require_learning_rate("--learning-rate", options.learning_rate)


def _tokenizer(kind: str, corpus: CorpusText, vocab_size: int) -> TextTokenizer:
    match kind:
        case "bpe":
            return byte_pairs(vocab_size)(corpus)
        case "characters":
            return each_character(corpus)
        case "gpt2":
            return gpt2_tokenizer()
    if not Path(kind).exists():
        raise LabError(
            f"there is no tokenizer '{kind}'{suggestion(kind, TOKENIZERS)}: choose one of "
            f"{', '.join(TOKENIZERS)}, or the path of a tokenizer's file."
        )
    return gpt2_tokenizer(kind) if Path(kind).is_dir() else load_tokenizer(Path(kind))


def _precision(name: str, device: torch.device) -> Precision:
    if name not in PRECISIONS:
        raise LabError(
            f"there is no precision '{name}'{suggestion(name, PRECISIONS)}: "
            f"choose one of {', '.join(PRECISIONS)}."
        )
    return best_precision(device) if name == "auto" else name
