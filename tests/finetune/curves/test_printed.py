from pathlib import Path

import pytest

from llmlab.finetune.curves.readers import Run, read_runs
from llmlab.method.errors import LabError

NANOGPT = """number of parameters: 10.65M
using fused AdamW: True
step 0: train loss 4.2874, val loss 4.2823
iter 0: loss 4.2649, time 28451.35ms, mfu -100.00%
iter 10: loss 3.2438, time 60.21ms, mfu 6.19%
step 250: train loss 1.9711, val loss 2.0774
iter 250: loss 2.0404, time 7218.30ms, mfu 5.57%
"""
MEGATRON = """setting number of micro-batches to constant 4
 [2024-06-01 12:00:01] iteration      100/  500000 | consumed samples:        25600 | \
elapsed time per iteration (ms): 2303.9 | learning rate: 1.500000E-05 | \
global batch size:   256 | lm loss: 9.123456E+00 | loss scale: 1.0 | grad norm: 1.234 |
 validation loss at iteration 100 on validation set | lm loss value: 8.5E+00 | \
lm loss PPL: 4.9E+03 |
"""
TORCHTUNE = """Step 1 | loss:2.5 lr:2e-05 tokens_per_second_per_gpu:812.4 grad_norm:3.5
Step 2 | loss:2.25 lr:2e-05 tokens_per_second_per_gpu:815.1 grad_norm:nan
"""
TORCHTITAN = """\x1b[31m[titan] 2024-10-01 00:00:00,123 - root - INFO - \x1b[36mstep: 10  \
\x1b[32mloss:  8.1250  \x1b[33mmemory:  9.51GiB(10.0%)  \x1b[34mtps: 5,120\x1b[39m
"""
LLM_C = """val loss 11.0
step    1/18865 | loss 10.5 (+nanz)| norm 15.3 (+nanz)| lr 3.00e-06 | 1410.88 ms | 26.1% bf16 MFU
step 1,000/18865 | loss 4.5 (-1.2z)| norm 0.5 (+0.1z)| lr 6.00e-04 | 1410.88 ms | 26.1% bf16 MFU
"""
KERAS = """Epoch 1/2
 1/20 ━━━━ 9s 500ms/step - accuracy: 0.1 - loss: 2.5
20/20 - 3s - accuracy: 0.5 - loss: 1.5 - val_loss: 1.75
Epoch 2/2
20/20 - 3s - accuracy: 0.6 - loss: 1.25 - val_loss: 1.5
"""
PROGRESS = "2024/01/02 train: 10/500 [00:05<04:05, 1.98it/s, loss=2.31]\rtrain: 20/500, loss=2.2\n"
OURS = """step 0: validation loss 5.736 nats/token, 8.275 bits/byte
run0 1/3, 0:00:01 elapsed: loss 5.713, 275 tokens/s, MFU 4%
"""
TRANSFORMERS = """***** Running training *****
  Num Epochs = 3
  1%|          | 10/1000 [00:05<08:20,  1.98it/s]
{'loss': 2.5, 'grad_norm': 1.5, 'learning_rate': 5e-05, 'epoch': 0.03}
{'loss': '2.25', 'grad_norm': 'nan', 'learning_rate': '4e-05', 'epoch': '0.06'}
100%|██████████| 8/8 [00:01<00:00]{'eval_loss': 2.4, 'eval_runtime': 1.2, 'epoch': 1.0}
{'loss': 0.0, 'grad_norm': inf, 'learning_rate': 3e-05, 'epoch': 1.03}
{'train_runtime': 12.0, 'train_samples_per_second': 9.1, 'train_loss': 1.6, 'epoch': 3.0}
"""


def read(tmp_path: Path, text: str, name: str = "train.log") -> Run:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    (run,) = read_runs(path)
    return run


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            NANOGPT,
            {
                "loss": {0: 4.2649, 10: 3.2438, 250: 2.0404},
                "validation_loss": {0: 4.2823, 250: 2.0774},
            },
        ),
        (
            MEGATRON,
            {"loss": {100: 9.123456}, "gradient_norm": {100: 1.234}, "validation_loss": {100: 8.5}},
        ),
        (TORCHTUNE, {"loss": {1: 2.5, 2: 2.25}}),
        (TORCHTITAN, {"loss": {10: 8.125}}),
        (LLM_C, {"loss": {1: 10.5, 1000: 4.5}}),
        (KERAS, {"loss": {1: 1.5, 2: 1.25}, "validation_loss": {1: 1.75, 2: 1.5}}),
        (PROGRESS, {"loss": {10: 2.31, 20: 2.2}}),
        (OURS, {"loss": {1: 5.713}, "validation_loss": {0: 5.736}}),
        (TRANSFORMERS, {"loss": {1: 2.5, 2: 2.25, 3: 0.0}, "validation_loss": {2: 2.4}}),
    ],
    ids=["nanogpt", "megatron", "torchtune", "torchtitan", "llm.c", "keras", "bar", "ours", "hf"],
)
def test_printed_lines_give_the_losses(
    tmp_path: Path, text: str, expected: dict[str, dict[int, float]]
) -> None:
    curves = read(tmp_path, text).curves
    found = {
        name: dict(zip(curves[name].steps, curves[name].values, strict=True)) for name in expected
    }
    assert found == expected


def test_a_norm_that_is_not_finite_is_read(tmp_path: Path) -> None:
    norms = read(tmp_path, TRANSFORMERS, "slurm-12.out").curves["gradient_norm"]
    assert [str(value) for value in norms.values] == ["1.5", "nan", "inf"]


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    notes = read(tmp_path, LLM_C, "main.txt").notes
    assert "only losses and gradient norms are read from printed lines" in notes
    assert "left out once: a value before the first step (val loss), in line 1" in notes
    assert any("each line counts as one" in note for note in read(tmp_path, TRANSFORMERS).notes)


@pytest.mark.parametrize(
    "text",
    [
        "loss scale: 1.0 at step 5\n",
        "step 5: load_balancing_loss: 0.01\n",
        "step 5: the loss of 3 users\n",
        "step 5: loss 50%\n",
        "step 5: loss 2.5%\n",
        "a story\n",
        "word " * 10_000 + "loss 3\n",
    ],
)
def test_lines_without_a_loss_are_no_curve(tmp_path: Path, text: str) -> None:
    with pytest.raises(LabError, match=r"train\.log holds no curve"):
        read(tmp_path, text)
