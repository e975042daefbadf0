"""Classifiers of windows: gradient boosting on numbers, and a small GPT on log text."""

from collections.abc import Sequence

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingClassifier

from llmlab.cluster.realism.two_sample import Judge
from llmlab.gpt.model import GPT, IGNORE, GPTConfig, next_token_loss

ALPHABET = "\n +-.0123456789"
"""Characters of a log text; the index of a character is its id."""
LINE_END = ALPHABET.index("\n")
ANSWERS = len(ALPHABET)
"""The id of the answer "not real"; the next id is "real"."""
PAIRS = tuple(a + b for a in ALPHABET for b in ALPHABET)
ROUNDS = 60
BATCH = 16
RATE = 1e-2


def boosting(seen: Sequence, is_real: np.ndarray, new: Sequence, seed: int) -> np.ndarray:
    """Gradient boosting on feature vectors or, for texts, on counts of character pairs."""
    model = HistGradientBoostingClassifier(
        max_iter=ROUNDS, max_leaf_nodes=8, random_state=seed, early_stopping=False
    )
    return model.fit(_features(seen), is_real).predict(_features(new))


def _features(windows: Sequence) -> np.ndarray:
    if isinstance(windows[0], str):
        return np.array([[text.count(pair) for pair in PAIRS] for text in windows])
    return np.array(windows)


def sequence_model(steps: int) -> Judge:
    """A small GPT, trained for `steps` steps, that reads a text and answers after each line.

    Only the last answer counts; earlier ones serve as training signal.
    """

    def judge(seen: Sequence, is_real: np.ndarray, new: Sequence, seed: int) -> np.ndarray:
        torch.manual_seed(seed)
        length = max(map(len, [*seen, *new]))
        model = GPT(GPTConfig(ANSWERS + 2, length, d_model=32, n_layers=2, n_heads=2))
        _train(model, _tokens(seen, length), torch.as_tensor(is_real), steps)
        return _answers(model, _tokens(new, length)).numpy()

    return judge


def _tokens(texts: Sequence[str], length: int) -> torch.Tensor:
    """Token ids [N, T]; short texts are padded with blanks on the left."""
    return torch.tensor([[*map(ALPHABET.index, text.rjust(length))] for text in texts])


def _train(model: GPT, tokens_NT: torch.Tensor, is_real_N: torch.Tensor, steps: int) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for _ in range(steps):
        chosen_B = torch.randint(len(tokens_NT), (BATCH,))
        tokens_BT = tokens_NT[chosen_B]
        answers_B1 = ANSWERS + is_real_N[chosen_B].long()[:, None]
        targets_BT = torch.where(tokens_BT == LINE_END, answers_B1, IGNORE)
        loss = next_token_loss(model(tokens_BT), targets_BT)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()


@torch.no_grad()
def _answers(model: GPT, tokens_NT: torch.Tensor) -> torch.Tensor:
    """Whether each text is classified as real [N]."""
    logits_NV = model.eval()(tokens_NT)[:, -1]
    return logits_NV[:, ANSWERS + 1] > logits_NV[:, ANSWERS]
