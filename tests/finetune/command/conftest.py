from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from llmlab.finetune.command.opening import open_session
from llmlab.finetune.command.options import FinetuneOptions
from llmlab.finetune.command.session import FinetuneSession

Open = Callable[..., FinetuneSession]


@pytest.fixture
def opened(
    made: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    held: ExitStack,
) -> Open:
    """Opens a session on the tiny base of four skills, in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    base = str(made("skilled"))

    def make(folder: Path | None = None, **options: object) -> FinetuneSession:
        asked = replace(FinetuneOptions(base=base), **options)
        return held.enter_context(open_session(asked, folder, torch.device("cpu")))

    return make


@pytest.fixture
def brief_session(opened: Open) -> Open:
    """Opens a run of four steps on a model that knows its skills, with the options given."""
    brief = {"steps": 4, "batch_size": 4, "test_items": 10}

    def make(**options: object) -> FinetuneSession:
        session = opened(Path("runs/micro-subtraction-qlora"), **(brief | options))
        session = replace(session, base=replace(session.base, name="micro"))
        return replace(session, config=replace(session.config, suite_items=10))

    return make
