from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from llmlab.finetune.command.descriptions import describe, describe_method
from llmlab.finetune.model.lora import LoraSpec
from llmlab.finetune.model.methods import Full
from llmlab.finetune.model.qlora import FourBit, QloraSpec


def test_methods_in_words() -> None:
    lora = LoraSpec(8, 16, target_modules=("qkv", "up"))
    assert describe_method(Full()) == "full fine-tuning: every weight is trained"
    assert describe_method(lora) == "LoRA, rank 8, alpha 16 (alpha/r), qkv, up"
    twice = "QLoRA, rank 8, alpha 16 (alpha/r), qkv, up; NF4, quantised twice"
    assert describe_method(QloraSpec(lora)) == twice
    assert describe_method(QloraSpec(lora, FourBit(double_quantisation=False))).endswith("NF4")


def test_what_is_about_to_happen(brief_session) -> None:
    assert describe(brief_session(replay=0.25)).splitlines() == [
        "base    micro: 29,024 parameters, context 32",
        "data    skills:subtraction: 4,050 examples, 10 others to test on",
        "method  LoRA, rank 8, alpha 16 (alpha/r), all-linear",
        "train   4 steps of 4 rows, 1 of them replayed (320 tokens)",
        "        learning rate 0.005, float32, seed 0, on cpu",
    ]


def test_packed_rows_and_bad_lines_are_counted(brief_session) -> None:
    path = Path("data.jsonl")
    path.write_text('{"prompt": "1+1=", "response": "2"}\n' * 9 + "oops\n")
    session = brief_session(data=str(path), pack=True, skip_bad=True)
    line = describe(session).splitlines()[1]
    assert line.endswith("9 examples packed in 2 rows, 0 others to test on, 1 bad line left out")


def test_weights_that_are_left_out_are_named(brief_session) -> None:
    session = brief_session()
    names = tuple(f"v_head.{n}" for n in range(5))
    session = replace(session, base=replace(session.base, left_out=names))
    assert describe(session).splitlines()[1] == (
        "        weights in its files that the model has no place for: "
        "v_head.0, v_head.1, v_head.2 and 2 more"
    )


def test_named_layers_leave_nothing_out_unsaid(brief_session) -> None:
    session = brief_session(target_modules="qkv")
    session.base.model.experts = nn.ParameterList([torch.zeros(2, 3, 4)])
    assert "linear layer" not in describe(session)
    everything = replace(session.config, method=LoraSpec(8, 16))
    said = describe(replace(session, config=everything))
    assert "not adapted, since it is in no linear layer: experts\n        (24 parameters, " in said
