"""What `test_distributed.py` starts with torchrun: runs that two processes share."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from threading import Timer

import torch
import torch.distributed as dist

from llmlab.gpt.command.run_events import Saved
from llmlab.gpt.command.session import PretrainingSession
from llmlab.gpt.distributed import Workers, joined
from llmlab.gpt.model import GPTConfig
from llmlab.gpt.pretraining import PretrainingRecipe
from llmlab.gpt.text.encoded_corpus import byte_pairs, named_corpus, prepare
from llmlab.gpt.training import Point, TrainConfig
from llmlab.runs.control import Request, ask


def new_session(
    text: Path, folder: Path, accumulate: int, dropout: float = 0.0, steps: int = 4
) -> PretrainingSession:
    encoded = prepare(named_corpus(str(text)), byte_pairs(300))
    recipe = PretrainingRecipe(
        shape=GPTConfig(encoded.tokenizer.vocab_size, 8, 16, 1, 2, dropout),
        train=TrainConfig(1e-2, steps=steps, weight_decay=0.5, accumulate=accumulate),
        batch_size=4,
        seed=0,
        validate_every=2,
        validation_tokens=64,
    )
    return PretrainingSession(folder, recipe, encoded, checkpoint_every=2)


def run(session: PretrainingSession, workers: Workers) -> None:
    for _ in session.events(workers, resume=False):
        pass


def run_until_saved_and_resume(session: PretrainingSession, workers: Workers) -> None:
    for event in session.events(workers, resume=False):
        if isinstance(event, Saved):
            break
    dist.barrier()
    for _ in session.events(workers, resume=True):
        pass


def run_steered(session: PretrainingSession, workers: Workers) -> None:
    """A run that several writers ask for something at once, and that is stopped at last."""
    rates = []
    for event in session.events(workers, resume=False):
        if isinstance(event, Point):
            rates.append(event.learning_rate)
            if workers.is_first and event.step == 0:
                steer(session.folder)
            dist.barrier()
    (session.folder / f"rates-{workers.rank}.json").write_text(json.dumps(rates))


def steer(folder: Path) -> None:
    """Ask for a pause, another rate and an end to the pause; and, from elsewhere, for a stop."""
    for number, (action, rate) in enumerate([("pause", None), ("rate", 0.5), ("resume", None)]):
        ask(folder, Request(id=f"{number:016x}", action=action, rate=rate))
    Timer(0.3, ask, (folder, Request(id="f" * 16, action="stop"))).start()


def share(text: Path, out: Path, workers: Workers) -> None:
    """A run for each way of spreading, in one part and in two; a sharded one is resumed."""
    sharded = replace(workers, sharded_from=0)
    for name, spread in {"whole": workers, "sharded": sharded}.items():
        for accumulate in (1, 2):
            run(new_session(text, out / f"{name}-{accumulate}", accumulate), spread)
    run_until_saved_and_resume(new_session(text, out / "resumed", 1), sharded)
    run_steered(new_session(text, out / "steered", 1, steps=4000), workers)
    run(new_session(text, out / "dropout", 1, dropout=0.3), workers)
    (out / f"drawn-{workers.rank}.txt").write_text(str(torch.rand(1).item()))
    run_until_saved_and_resume(new_session(text, out / "dropout-resumed", 1, 0.3), workers)


if __name__ == "__main__":
    with joined() as found:
        share(Path(sys.argv[1]), Path(sys.argv[2]), found)
