"""Classifiers of windows: gradient boosting on numbers, and a small GPT on log text."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingClassifier

from llmlab.gpt.model import GPT, GPTConfig, next_token_loss

Judge = Callable[[Sequence, np.ndarray, Sequence, int], np.ndarray]
"""From windows to learn from, whether each is real (n,), windows to judge and a seed, to calls."""

ALPHABET = "\n +-.0123456789"
"""Of a log text; the id after the last is the question that the answer follows."""
PAIRS = tuple(a + b for a in ALPHABET for b in ALPHABET)
ROUNDS = 60
BATCH = 16
RATE = 5e-3


def boosting(seen: Sequence, is_real: np.ndarray, new: Sequence, seed: int) -> np.ndarray:
    """Gradient boosting on feature vectors; of texts, on how often each pair of signs comes."""
    model = HistGradientBoostingClassifier(
        max_iter=ROUNDS, max_leaf_nodes=8, random_state=seed, early_stopping=False
    )
    return model.fit(_features(seen), is_real).predict(_features(new))


def _features(windows: Sequence) -> np.ndarray:
    if isinstance(windows[0], str):
        return np.array([[text.count(pair) for pair in PAIRS] for text in windows])
    return np.array(windows)


def sequence_model(steps: int) -> Judge:
    """A small GPT that reads a text and answers with one of two signs; so many training steps."""

    def judge(seen: Sequence, is_real: np.ndarray, new: Sequence, seed: int) -> np.ndarray:
        torch.manual_seed(seed)
        tokens_NT = _tokens(seen)
        context = max(tokens_NT.shape[1], _tokens(new).shape[1])
        model = GPT(GPTConfig(len(ALPHABET) + 1, context, d_model=32, n_layers=2, n_heads=2))
        _train(model, tokens_NT, torch.as_tensor(is_real), steps)
        return _answers(model, _tokens(new)).numpy()

    return judge


def _tokens(texts: Sequence[str]) -> torch.Tensor:
    """Ids [N, T] with the question last; short texts are filled with line ends in front."""
    longest = max(map(len, texts))
    filled = [text.rjust(longest, "\n") for text in texts]
    ids = [[*map(ALPHABET.index, text), len(ALPHABET)] for text in filled]
    return torch.tensor(ids)


def _train(model: GPT, tokens_NT: torch.Tensor, is_real_N: torch.Tensor, steps: int) -> None:
    """Each batch of texts teaches what comes next in a log, and the answer."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for _ in range(steps):
        chosen_B = torch.randint(len(tokens_NT), (BATCH,))
        tokens_BT = tokens_NT[chosen_B]
        targets_BT = torch.cat([tokens_BT[:, 1:], is_real_N[chosen_B].long()[:, None]], dim=1)
        logits_BTV = model(tokens_BT)
        loss = next_token_loss(logits_BTV[:, -1:], targets_BT[:, -1:])
        loss = loss + 0.2 * next_token_loss(logits_BTV[:, :-1], targets_BT[:, :-1])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()


@torch.no_grad()
def _answers(model: GPT, tokens_NT: torch.Tensor) -> torch.Tensor:
    """Whether each text is called real [N]."""
    logits_NV = model.eval()(tokens_NT)[:, -1]
    return logits_NV[:, 1] > logits_NV[:, 0]
