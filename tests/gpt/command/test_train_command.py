"""`llmlab train`, `generate` and `inspect` as one calls them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from calling import LlmLab

from llmlab.gpt.saved.checkpoints import load_checkpoint

SMALL = ("--context", "8", "--batch-size", "2", "--precision", "float32")


@pytest.fixture
def llmlab(llmlab: LlmLab, text_file: Path, monkeypatch: pytest.MonkeyPatch) -> LlmLab:
    """Runs `llmlab` beside the text."""
    monkeypatch.chdir(text_file.parent)
    return llmlab


def test_a_new_user_trains_generates_and_inspects(llmlab: LlmLab, tmp_path: Path) -> None:
    trained = llmlab("train", "--corpus", "program.txt", "--steps", "2", *SMALL)
    assert trained.code == 0, trained.err
    lines = trained.out.splitlines()
    assert lines[0].startswith("0.8")
    assert "context 8" in lines[0]
    assert lines[1].startswith("program.txt: 3,480 bytes, 1,")
    assert "2 steps of 2 sequences in float32" in lines[1]
    assert lines[2].startswith("step 0: validation loss ")
    run = "runs/micro-program.txt-seed0"
    assert lines[-1] == f"Next: `llmlab generate {run}` or `llmlab inspect {run}`."
    assert "micro-program.txt-seed0 2/2" in trained.err
    assert "tokens/s, MFU " in trained.err

    texts = [
        llmlab("generate", run, "--prompt", "def", "--tokens", "9", "--seed", s) for s in "112"
    ]
    assert texts[0] == texts[1] != texts[2]
    assert texts[0].out.startswith("def")
    uncached = llmlab(
        "generate", run, "--prompt", "def", "--tokens", "9", "--seed", "1", "--no-cache"
    )
    assert uncached == texts[0]

    inspected = llmlab("inspect", run, "--text", "x + 1")
    assert inspected.out == f"Open {run}/inspect.html in a browser.\n"
    assert (tmp_path / run / "inspect.html").stat().st_size < 1_000_000


def test_an_epoch_reads_the_text_once(llmlab: LlmLab, curves) -> None:
    done = llmlab("train", "--corpus", "program.txt", "--epochs", "0.2", "--out", "run", *SMALL)
    n_tokens = int(done.out.split(" bytes, ")[1].split(" tokens")[0].replace(",", ""))
    n_steps = len(curves(Path("run"))["point"])
    assert n_steps == pytest.approx(0.2 * 0.9 * n_tokens / 16, abs=1)


def test_kill_9_and_resume(llmlab: LlmLab, curves) -> None:
    """The process is killed once it has saved; then the run is the one that nothing disturbed."""
    options = ("--steps", "56", "--dropout", "0.1", "--corpus", "program.txt", *SMALL)
    every = ("--checkpoint-every", "6")
    process = subprocess.Popen(
        [sys.executable, "-m", "llmlab", "train", *options, *every, "--out", "killed"],
        env=os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    log = Path("killed/log.jsonl")
    while process.poll() is None and not (log.exists() and '"saved"' in log.read_text()):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    resumed = llmlab("train", *options, *every, "--out", "killed", "--resume")
    assert resumed.code == 0, resumed.err
    assert llmlab("train", *options, "--out", "whole").code == 0
    assert curves(Path("killed")) == curves(Path("whole"))
    assert [step for step, _ in curves(Path("killed"))["validation"]] == [0, 50, 56]


def test_divergence_is_said_in_one_sentence(llmlab: LlmLab) -> None:
    done = llmlab(
        *("train", "--corpus", "program.txt", "--steps", "9", "--learning-rate", "1e30"),
        *("--out", "run", *SMALL),
    )
    assert done.code == 1
    (error,) = [line for line in done.err.splitlines() if line.startswith("error: ")]
    events = [json.loads(line) for line in Path("run/log.jsonl").read_text().splitlines()]
    last = events[-1]
    assert last["event"] == "diverged"
    assert error.startswith(f"error: training stopped at step {last['step']}, where the loss is ")
    assert "(no step was good): start again with a lower --learning-rate" in error
    model = load_checkpoint(Path("run")).model()
    assert model(torch.arange(8)[None]).isfinite().all()


BAD = {
    "no configuration 'mikro' (did you mean 'micro'?)": ("--config", "mikro"),
    "\"verdikt\" (did you mean 'verdict'?)": ("--corpus", "verdikt"),
    '"empty.txt" is empty': ("--corpus", "empty.txt"),
    "binary.dat is not text in UTF-8": ("--corpus", "binary.dat"),
    "too few for a context of 4000": ("--context", "4000"),
    "validation part of program.txt has": ("--validation-share", "0.001"),
    "validation share of 1.5 leaves nothing": ("--validation-share", "1.5"),
    "no precision 'float23' (did you mean 'float32'?)": ("--precision", "float23"),
    "no tokenizer 'bpee' (did you mean 'bpe'?)": ("--tokenizer", "bpee"),
    "program.txt is not a tokenizer": ("--tokenizer", "program.txt"),
    "0 epochs train nothing": ("--epochs", "0"),
    "1e+308 epochs train nothing, or for ever": ("--epochs", "1e308"),
    "inf epochs train nothing": ("--epochs", "inf"),
    "--learning-rate 0 learns nothing": ("--learning-rate", "0"),
    "cannot be computed in 3 parts": ("--accumulate", "3"),
    "run holds no checkpoint": ("--resume",),
    "cannot write": ("--out", "program.txt/run"),
}


@pytest.mark.parametrize(("sentence", "options"), BAD.items(), ids=[b[0][2:] for b in BAD.values()])
def test_bad_input_is_answered_by_one_sentence(
    sentence: str, options: tuple[str, ...], llmlab: LlmLab
) -> None:
    Path("empty.txt").touch()
    Path("binary.dat").write_bytes(bytes(range(256)) * 20)
    done = llmlab(
        *("train", "--corpus", "program.txt", "--out", "run", "--steps", "1", *SMALL, *options)
    )
    assert done.code == 1
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert sentence in done.err
    assert not Path("run").exists()


def test_a_folder_that_holds_a_run_and_one_that_holds_none(llmlab: LlmLab) -> None:
    train = ("train", "--corpus", "program.txt", "--out", "run", "--steps", "1", *SMALL)
    assert llmlab(*train).code == 0
    before = Path("run/log.jsonl").read_bytes()
    assert "run holds a run already: continue it with --resume" in llmlab(*train).err
    longer = llmlab(*train, "--context", "16", "--resume")
    assert "was another one (shape.context 8 -> 16)" in longer.err
    assert Path("run/log.jsonl").read_bytes() == before
    for verb in ("generate", "inspect"):
        done = llmlab(verb, "cache")
        assert (done.code, done.err.count("\n")) == (1, 1)
        assert "error: cache holds no checkpoint" in done.err
    assert "temperature of -1 draws nothing" in llmlab("generate", "run", "--temperature=-1").err
    assert llmlab("generate", "run", "--prompt", "", "--tokens", "3").code == 0
