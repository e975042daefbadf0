"""The whole loop with a real model behind a real server, where their packages are installed."""

from collections.abc import Iterator

import pytest

from llmlab.finetune.model.gguf import PACKAGED, packaged_file
from llmlab.method.errors import LabError
from llmlab.sleep.koans.koan import Case, Koan
from llmlab.sleep.repair.loop import Setting, attempt
from llmlab.sleep.repair.server import Server
from llmlab.sleep.sandbox.sandbox import Unguarded

KOAN = Koan(
    "twice",
    "operators",
    "python",
    "wrong",
    "def f(x):\n    return x * 3\n",
    "def f(x):\n    return x * 2\n",
    (Case("f(2)", "4"),),
    hint="use another number",
)


@pytest.fixture
def address() -> Iterator[str]:
    """Where llama.cpp serves SmolLM2."""
    xllamacpp = pytest.importorskip("xllamacpp", reason="xllamacpp is not installed")
    try:
        path = packaged_file("smollm2")
    except LabError:
        pytest.skip(f"{PACKAGED['smollm2'].package} is not installed")
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx, params.n_parallel, params.cpuparams.n_threads = 1024, 1, 1
    params.warmup, params.verbosity = False, 0
    server = xllamacpp.Server(params)
    yield f"{server.listening_address}/v1"
    del server


def test_a_real_model_behind_a_server_tries_to_repair(address: str) -> None:
    client = Server(address, "smollm2", most_tokens=32)
    (episode,) = attempt([KOAN], client, Unguarded(), Setting(turns=2))
    assert 1 <= len(episode.turns) <= 2
    assert all(turn.prompt_tokens > 20 and turn.answer for turn in episode.turns)
