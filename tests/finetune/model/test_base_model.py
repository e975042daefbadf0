from pathlib import Path

import torch

from llmlab.finetune.model.base_model import load_base_model, new_base_model, save_base_model


def test_a_saved_base_comes_back_the_same(tmp_path: Path) -> None:
    tokens_BT = torch.arange(10)[None]
    original = new_base_model(d_model=32, n_layers=1, n_heads=2, context=32, seed=0)
    save_base_model(original, tmp_path)
    loaded = load_base_model(tmp_path, torch.device("cpu"))
    assert torch.equal(loaded(tokens_BT), original(tokens_BT))
    assert loaded.head.weight is loaded.token_embedding.weight
