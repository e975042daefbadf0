"""`llmlab finetune` as one calls it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from calling import LlmLab
from kept_weights import vouch

from llmlab.finetune.model.base_model import new_base_model, save_base_model

BRIEF = ("--steps", "3", "--batch-size", "4", "--test-items", "10")


@pytest.fixture
def llmlab(
    llmlab: LlmLab, made: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> LlmLab:
    """Runs `llmlab` in a lab whose base model is a tiny one."""
    (tmp_path / "chapters" / "hypotheses").mkdir(parents=True)
    vouch(shutil.copytree(made("skilled"), tmp_path / "build/results/smoke/base_model/kept"))
    monkeypatch.chdir(tmp_path)
    return llmlab


def test_a_new_user_finetunes_generates_and_merges(llmlab: LlmLab) -> None:
    tuned = llmlab("finetune", "--data", "skills:subtraction", "--method", "lora", *BRIEF)
    assert tuned.code == 0, tuned.err
    run = "runs/micro-subtraction-lora"
    *_, generate, curves, merge = tuned.out.splitlines()
    assert generate == f"  llmlab generate {run} --prompt 73-36="
    assert curves == f"  llmlab curves {run}/log.jsonl"
    assert "train 3/3" in tuned.err
    assert sorted(path.name for path in Path(run).iterdir()) == [
        ".lock",
        "adapter",
        "log.jsonl",
        "report.json",
    ]
    written = llmlab(*generate.split()[1:], "--temperature", "0")
    assert written.code == 0, written.err
    assert written.out.startswith("73-36=")
    merged = llmlab(*merge.split()[1:])
    assert merged.code == 0, merged.err
    assert llmlab("generate", "runs/merged", "--prompt", "73-36=", "--temperature", "0") == written


def test_a_model_of_the_hub_learns_by_qlora_from_a_file(llmlab: LlmLab, made) -> None:
    rows = [{"prompt": f"the cat {n}", "response": "sat"} for n in range(20)]
    Path("cats.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + "oops\n")
    options = ("--base", f"hf:{made('qwen2')}", "--data", "cats.jsonl", "--method", "qlora")
    refused = llmlab("finetune", *options, *BRIEF)
    assert refused.code == 1
    assert refused.err.startswith("error: line 21 of cats.jsonl is not an example")
    tuned = llmlab("finetune", *options, *BRIEF, "--skip-bad")
    assert tuned.code == 0, tuned.err
    assert "18 examples, 2 others to test on, 1 bad line left out" in tuned.out
    assert "line 21: it is not JSON" in tuned.out
    report = json.loads(Path("runs/qwen2-cats-qlora/report.json").read_text())
    assert [bad["line"] for bad in report["skipped"]] == [21]
    assert "model.layers.1" in tuned.out
    assert "inner" not in tuned.out
    assert llmlab("generate", "runs/qwen2-cats-qlora", "--prompt", "the cat 7").code == 0


def test_bad_lines_are_also_those_that_do_not_fit_the_base(llmlab: LlmLab) -> None:
    answers = ["2", "2" * 40, "ä", "3"] + ["4"] * 10
    rows = [{"prompt": "1+1=", "response": answer} for answer in answers]
    Path("sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = llmlab("finetune", "--data", "sums.jsonl", "--skip-bad", "--out", "run", *BRIEF)
    assert done.code == 0, done.err
    skipped = json.loads(Path("run/report.json").read_text())["skipped"]
    assert [bad["line"] for bad in skipped] == [2, 3]
    assert skipped[0]["reason"].startswith("the example needs 44 tokens")


def test_facts_are_tested_on_those_that_are_learned(llmlab: LlmLab) -> None:
    done = llmlab("finetune", "--data", "skills:facts:8", "--out", "my runs/facts", *BRIEF)
    assert "8 examples, the same 8 to test on" in done.out
    for command in ("generate 'my runs/facts' --prompt", "curves 'my runs/facts/log.jsonl'"):
        assert f"  llmlab {command}" in done.out
    assert "  llmlab merge 'my runs/facts' --out 'my runs/merged'" in done.out


def test_answers_that_begin_inside_a_token_are_told_of(llmlab: LlmLab, made) -> None:
    rows = [{"prompt": "the cat ", "response": "sat"}] * 12
    Path("cats.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = ("--base", f"hf:{made('llama')}", "--data", "cats.jsonl", "--out", "run")
    done = llmlab("finetune", *options, *BRIEF)
    assert "in 11 of them the answer begins inside a token" in done.out


def test_the_record_of_a_run_tells_other_data_of_the_same_name(llmlab: LlmLab) -> None:
    digests = []
    for answer in "23":
        rows = [{"prompt": "1+1=", "response": answer}] * 20
        Path("sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        run = Path(f"run-{answer}")
        assert llmlab("finetune", "--data", "sums.jsonl", "--out", str(run), *BRIEF).code == 0
        digests.append(json.loads((run / "report.json").read_text())["run"]["data_digest"])
    assert digests[0] != digests[1]


def test_an_adapter_finds_the_micro_that_it_was_made_for(
    llmlab: LlmLab, made: Callable[[str], Path]
) -> None:
    assert llmlab("finetune", "--out", "run", *BRIEF).code == 0
    larger = Path("build/results/laptop/base_model/kept")
    shutil.copytree(made("skilled"), larger)
    save_base_model(new_base_model(d_model=64, n_layers=2, n_heads=2, context=32, seed=1), larger)
    vouch(larger)
    done = llmlab("generate", "run", "--prompt", "1-1=")
    assert done.code == 0, done.err


def test_a_base_that_is_gone_is_named_with_the_way_to_name_another(llmlab: LlmLab, made) -> None:
    shutil.copytree(made("llama"), "llama")
    rows = [{"prompt": f"the cat {n}", "response": "sat"} for n in range(20)]
    Path("cats.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = ("--base", "hf:llama", "--data", "cats.jsonl", "--out", "run")
    assert llmlab("finetune", *options, *BRIEF).code == 0
    Path("llama").rename("moved")
    done = llmlab("generate", "run", "--prompt", "the cat 7")
    assert done.code == 1
    assert "was made for the base hf:llama, which cannot be opened from here" in done.err
    assert "name it with --base." in done.err
    moved = llmlab("generate", "run", "--prompt", "the cat 7", "--base", "hf:moved")
    assert moved.code == 0, moved.err


def test_what_was_learned_whole_is_a_base_again(llmlab: LlmLab) -> None:
    options = ("finetune", "--method", "full", "--learning-rate", "1e-4", *BRIEF)
    assert llmlab(*options, "--out", "first").code == 0
    second = llmlab(*options, "--base", "first/model", "--replay", "0.25", "--out", "second")
    assert second.code == 0, second.err
    first, later = (
        json.loads(Path(f"{run}/report.json").read_text()) for run in ("first", "second")
    )
    assert later["before"]["suites"] == first["after"]["suites"]


def test_divergence_is_said_in_one_sentence(llmlab: LlmLab) -> None:
    done = llmlab("finetune", "--learning-rate", "1e25", "--out", "run", *BRIEF, "--steps", "20")
    assert done.code == 1
    (error,) = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert error.startswith("error: training stopped at step ")
    assert "the weights after it are in run/adapter): start again with a lower" in error
    assert llmlab("generate", "run/adapter", "--prompt", "1-1=").code == 0


@pytest.mark.parametrize("method", ["lora", "full"])
def test_weights_that_are_no_numbers_are_not_kept(method: str, llmlab: LlmLab) -> None:
    options = ("--method", method, "--learning-rate", "1e38", "--steps", "3")
    done = llmlab("finetune", "--out", "run", *BRIEF, *options)
    assert done.code == 1
    assert "nothing is kept): start again with a lower --learning-rate." in done.err
    assert sorted(path.name for path in Path("run").iterdir()) == [
        ".lock",
        "log.jsonl",
        "report.json",
    ]
    assert json.loads(Path("run/report.json").read_text())["outcome"] == "diverged"
    assert '"event": "diverged"' in Path("run/log.jsonl").read_text().splitlines()[-1]


BAD = {
    "holds NaN, which is not JSON": ("--data", "nan.jsonl"),
    "holds no example: write one a line": ("--data", "empty.jsonl"),
    "there is no base 'mikro' (did you mean 'micro'?)": ("--base", "mikro"),
    'there is no folder "./nowhere"': ("--base", "hf:./nowhere"),
    "no skill 'subtractoin' (did you mean 'subtraction'?)": ("--data", "skills:subtractoin"),
    "there is no file": ("--data", "none.jsonl"),
    "the model has no layer 'query' to adapt: choose from qkv, out, up, down": (
        *("--target-modules", "query"),
    ),
    "the layer 'norm' is a LayerNorm": ("--target-modules", "norm"),
    "rank 64 is above the width 32": ("--rank", "64"),
    "has no adapter and so no --rank": ("--method", "full", "--rank", "4"),
    "--steps and --epochs both": ("--epochs", "2"),
    "needs 41 tokens and the context holds 32": ("--data", "long.jsonl"),
    "not in the tokenizer's alphabet": ("--data", "umlaut.jsonl"),
    "cannot write": ("--out", "long.jsonl/run"),
}


@pytest.mark.parametrize(("sentence", "options"), BAD.items(), ids=list(BAD))
def test_bad_input_is_answered_by_one_sentence(
    sentence: str, options: tuple[str, ...], llmlab: LlmLab
) -> None:
    Path("long.jsonl").write_text(json.dumps({"prompt": "a", "response": "b" * 40}))
    Path("nan.jsonl").write_text('{"prompt": NaN, "response": "b"}')
    Path("empty.jsonl").touch()
    Path("umlaut.jsonl").write_text(json.dumps({"prompt": "für", "response": "b"}))
    done = llmlab("finetune", "--out", "run", *BRIEF, *options)
    assert done.code == 1
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert sentence in done.err
    assert not Path("run").exists()


def test_another_run_is_left_alone(llmlab: LlmLab) -> None:
    assert llmlab("finetune", "--out", "run", *BRIEF).code == 0
    before = Path("run/report.json").read_bytes()
    again = llmlab("finetune", "--out", "run", *BRIEF)
    assert (again.code, again.err.count("\n")) == (1, 1)
    assert "run already holds a run or other files: name another folder" in again.err
    assert Path("run/report.json").read_bytes() == before


def test_ctrl_c_keeps_what_was_learned(llmlab: LlmLab) -> None:
    brief = (*BRIEF, "--steps", "100000")
    process = subprocess.Popen(
        [sys.executable, "-m", "llmlab", "finetune", "--out", "run", *brief],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    log = Path("run/log.jsonl")
    while process.poll() is None and not (log.exists() and '"point"' in log.read_text()):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert err.splitlines()[-1].startswith("error: interrupted after step ")
    assert json.loads(Path("run/report.json").read_text())["outcome"] == "interrupted"
    assert llmlab("generate", "run", "--prompt", "1-1=").code == 0
