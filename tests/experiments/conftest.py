from pathlib import Path

import pytest

from llmlab.finetune.base import new_base, save_base


@pytest.fixture
def untrained_base(tmp_path: Path) -> Path:
    """The files that `base_model` leaves behind, of a tiny model that knows nothing."""
    save_base(new_base(d_model=16, n_layers=1, n_heads=2, context=32, seed=0), tmp_path)
    return tmp_path
