"""Damaged files of the code-repair lab: read, or refused in a sentence."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from fuzzing import assert_survives, mutated_bytes, mutated_json, mutated_lines, overwrite

from llmlab.gpt.model import GPTConfig
from llmlab.sleep.coder.coder import ABOUT, WEIGHTS, load_coder, new_coder, save_coder
from llmlab.sleep.coder.tokens import SPECIAL, CodeTokens
from llmlab.sleep.koans import koan
from llmlab.sleep.repair.episodes import EpisodeFile

KOANS = (Path(koan.__file__).parent / "builtin" / "moves.toml").read_bytes()
EPISODE = {
    **dict.fromkeys(("id", "run", "koan", "family", "template", "model", "sandbox"), "x"),
    **dict.fromkeys(("start", "solution", "start_outcome", "start_error", "start_said"), "y"),
    "start_line": 1,
    "language": "python",
    "turns": [{"answer": "1|x", "outcome": "green", "line": 1, "seconds": 0.5}],
}
TOKENS = CodeTokens((*SPECIAL, "return"))


def test_fuzz_koans(tmp_path: Path) -> None:
    path = tmp_path / "moves.toml"

    def read(content: bytes) -> None:
        overwrite(path, content)
        koan.read_koans(path)

    assert assert_survives(read, lambda draw: mutated_bytes(KOANS[:3000], draw)) > 0


@pytest.mark.parametrize(
    "make",
    [
        lambda draw: mutated_lines([EPISODE] * 3, draw),
        lambda draw: mutated_bytes(json.dumps(EPISODE).encode() + b"\n", draw),
    ],
    ids=["values", "bytes"],
)
def test_fuzz_episodes(make: Callable[[random.Random], bytes], tmp_path: Path) -> None:
    path = tmp_path / "day.jsonl"

    def read(content: bytes) -> None:
        overwrite(path, content)
        EpisodeFile(path).read()

    assert assert_survives(read, make) > 0


@pytest.mark.parametrize("name", [ABOUT, WEIGHTS])
def test_fuzz_coder(name: str, tmp_path: Path) -> None:
    save_coder(new_coder("python", TOKENS, GPTConfig(len(TOKENS.names), 32, 4, 1, 1), 0), tmp_path)
    whole = (tmp_path / name).read_bytes()

    def make(draw: random.Random) -> bytes:
        if name == ABOUT and draw.random() < 0.5:
            return mutated_json(json.loads(whole), draw)
        return mutated_bytes(whole, draw)

    def read(content: bytes) -> None:
        overwrite(tmp_path / name, content)
        load_coder(tmp_path)

    assert assert_survives(read, make) > 0
