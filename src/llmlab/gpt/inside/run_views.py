"""Views of a trained run, for a page that shows its inside."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from llmlab.gpt.inside.inspection import activation_statistics, head_scores
from llmlab.gpt.inside.inspection_views import (
    CheckpointBrowser,
    View,
    activations_view,
    attention_view,
    logit_lens_view,
)
from llmlab.gpt.model import GPT
from llmlab.gpt.saved.checkpoints import Checkpoint, checkpoints, load_checkpoint
from llmlab.gpt.saved.saved_runs import open_tokenizer, run_folder
from llmlab.method.errors import LabError
from llmlab.runs.folder import RunFolder
from llmlab.runs.log import RunLog

TEXT = "def add(first, second):\n    return first + second\n\ndef add(first, second):\n    return"
"""The default text to show: code that begins to repeat itself."""

SHORTEST_COPIED = 4
"""Tokens of the shortest context that holds two different tokens twice, for the heads' scores."""


def look_into(path: Path, texts: Sequence[str]) -> dict[str, View]:
    """Views of the model of a run or checkpoint, by name; of several checkpoints a browser, too.

    Earlier checkpoints that are damaged are left out. A context too short for two copies of two
    tokens has no scores of heads.

    Args:
        texts: to look at; a default one if there are none.

    Raises:
        LabError: there is no model, or a text has no token.
    """
    newest = load_checkpoint(path)
    model, tokenizer = newest.model(), open_tokenizer(path, newest.run)
    texts = texts or [TEXT]
    ids = torch.tensor([tokenizer.encode(texts[0])[: model.config.context]])
    views = {
        "attention": attention_view(
            model, tokenizer, texts, newest.step, _scores(model, tokenizer.vocab_size)
        ),
        "logit lens": logit_lens_view(model, tokenizer, texts),
        "activations": activations_view({newest.step: activation_statistics(model, ids)}),
    }
    found = list(_whole_checkpoints(path))
    if len(found) < 2:
        return views
    browser = CheckpointBrowser(model, tokenizer, texts[0])
    for checkpoint in found:
        model.load_state_dict(checkpoint.weights())
        browser.look(checkpoint.step)
    return views | {"checkpoints": browser.view(_curves(RunFolder(run_folder(path)).log))}


def _scores(model: GPT, n_ids: int) -> dict[str, torch.Tensor]:
    is_long_enough = model.config.context >= SHORTEST_COPIED and n_ids > 1
    return head_scores(model, range(n_ids)) if is_long_enough else {}


def _whole_checkpoints(path: Path) -> Iterator[Checkpoint]:
    for folder in checkpoints(path):
        try:
            yield load_checkpoint(folder)
        except LabError:
            continue


def _curves(log: RunLog) -> dict[str, list[tuple[int, float]]]:
    """Training and validation loss from a log; the first as the mean of every fiftieth part."""
    seen = [one for one in log.events() if one.step is not None and one.loss is not None]
    points = [(one.step, one.loss) for one in seen if one.event == "point"]
    width = max(1, len(points) // 50)
    parts = [points[start : start + width] for start in range(0, len(points), width)]
    return {
        "loss": [(part[-1][0], sum(loss for _, loss in part) / len(part)) for part in parts],
        "validation_loss": [(one.step, one.loss) for one in seen if one.event == "validation"],
    }
