"""Prompt and answer are encoded as one text, whatever the tokenizer."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    ByT5Tokenizer,
    LlamaConfig,
    LlamaForCausalLM,
)

from llmlab.finetune.command.encoding import encode_examples, prompt_of, splits_token
from llmlab.finetune.command.examples import Chat, Example, Pair
from llmlab.finetune.command.generation import generate_text
from llmlab.finetune.command.opening import open_session
from llmlab.finetune.command.options import FinetuneOptions
from llmlab.finetune.model.codecs import HubCodec, searched_spans
from llmlab.finetune.model.merging import write_merged
from llmlab.gpt.generation import SamplingConfig
from llmlab.gpt.model import IGNORE
from llmlab.method.errors import LabError
from tests.finetune.tokenizers import TOKENIZERS, alpaca, phi3

CHATTING = [name for name in TOKENIZERS if name != "gpt2"]
TALK = (("user", "hello"), ("assistant", "yo"), ("user", "more"), ("assistant", "fine"))
PAIRS = [
    ("12+34=", "46"),
    ("", "46"),
    ("hello", " world"),
    ("h\u00e9 \U0001f600:", "\U0001f600 caf\u00e9"),
    ("a\n", "b"),
]


def pair(prompt: str, response: str) -> Example:
    return Example(Pair(prompt=prompt, response=response), "here")


def chat(*turns: tuple[str, str], weights: dict[int, int] | None = None) -> Example:
    messages = [
        {"role": role, "content": content}
        | ({"weight": weights[i]} if weights and i in weights else {})
        for i, (role, content) in enumerate(turns)
    ]
    return Example(Chat(messages=messages), "here")


def row(example: Example, codec: HubCodec) -> tuple[list[int], list[int]]:
    """The tokens of an example, the last target included, and the targets that count."""
    sequences = encode_examples([example], codec, context=200)
    (tokens,), (targets,) = sequences.tokens_NT.tolist(), sequences.targets_NT.tolist()
    return tokens, [index for index in targets if index != IGNORE]


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize(("prompt", "response"), PAIRS)
def test_a_pair_has_the_tokens_of_its_whole_text(name: str, prompt: str, response: str) -> None:
    tokenizer = TOKENIZERS[name]()
    codec = HubCodec(tokenizer)
    tokens, counted = row(pair(prompt, response), codec)
    whole = [*tokenizer(prompt + response)["input_ids"], codec.end]
    if prompt or tokenizer(prompt)["input_ids"]:
        assert tokens == whole[:-1]
    else:  # an answer has to follow something
        assert tokens == [codec.end, *whole[:-1]]
    assert counted[-1] == codec.end
    assert counted == whole[-len(counted) :]
    assert codec.decode(counted[:-1]).strip() == response.strip()


@pytest.mark.parametrize("name", CHATTING)
@pytest.mark.parametrize("turns", [TALK[:2], TALK, (("system", "be"), *TALK)], ids=len)
def test_a_conversation_has_the_tokens_of_the_template(
    name: str, turns: tuple[tuple[str, str], ...]
) -> None:
    tokenizer = TOKENIZERS[name]()
    messages = [{"role": role, "content": content} for role, content in turns]
    whole = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False)
    tokens, counted = row(chat(*turns), HubCodec(tokenizer))
    assert tokens == whole[:-1]
    said = tokenizer.decode(counted)
    answers = [content for role, content in turns if role == "assistant"]
    assert [
        word for word in ("yo", "fine", "hello", "more", "user", "be") if word in said
    ] == answers
    assert said.rstrip().endswith(ENDS[name])


ENDS = {
    "llama2": "</s>",
    "mistral": "</s>",
    "gemma": "<end_of_turn>",
    "llama3": "<|eot_id|>",
    "qwen": "<|im_end|>",
    "qwen3": "<|im_end|>",
    "qwen3_marked": "<|im_end|>",
}


@pytest.mark.parametrize("answer", ["yo", " yo", "\n yo ", "  yo"])
def test_a_special_token_that_takes_spaces_with_it_is_no_part_of_an_answer(answer: str) -> None:
    tokenizer = phi3()
    messages = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": answer}]
    whole = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False)
    tokens, counted = row(chat(("user", "hello"), ("assistant", answer)), HubCodec(tokenizer))
    assert tokens == whole[:-1]
    assert tokenizer.decode(counted).replace(" ", "") == "yo<|end|>"


def test_what_a_template_writes_between_an_answer_and_its_end_is_learned() -> None:
    tokenizer = alpaca()
    _, counted = row(chat(*TALK), HubCodec(tokenizer))
    assert tokenizer.decode(counted) == "yofine\n\n<|endoftext|>"


def test_every_token_after_a_prompt_counts_up_to_the_end_of_the_answer() -> None:
    tokenizer = TOKENIZERS["qwen3"]()
    _, counted = row(chat(*TALK), HubCodec(tokenizer))
    assert tokenizer.decode(counted) == "yo<|im_end|><think>\n\n</think>\n\nfine<|im_end|>"


def test_what_the_template_marks_counts() -> None:
    tokenizer = TOKENIZERS["qwen3_marked"]()
    _, counted = row(chat(*TALK), HubCodec(tokenizer))
    messages = [{"role": role, "content": content} for role, content in TALK]
    found = tokenizer.apply_chat_template(
        messages, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
    )
    marked = zip(found["input_ids"], found["assistant_masks"], strict=True)
    assert counted == [index for index, counts in marked if counts]


@pytest.mark.parametrize("name", TOKENIZERS)
def test_an_answer_of_weight_0_does_not_count(name: str) -> None:
    tokenizer = TOKENIZERS[name]()
    tokens, counted = row(chat(*TALK, weights={1: 0}), HubCodec(tokenizer))
    assert tokens == row(chat(*TALK), HubCodec(tokenizer))[0]
    assert "yo" not in tokenizer.decode(counted)
    assert "fine" in tokenizer.decode(counted)


@pytest.mark.parametrize("name", CHATTING)
def test_the_prompt_of_a_conversation_has_the_tokens_before_its_last_answer(name: str) -> None:
    codec = HubCodec(TOKENIZERS[name]())
    prompt = codec.encode_prompt(prompt_of(chat(*TALK), codec))
    assert prompt == row(chat(*TALK), codec)[0][: len(prompt)]


def test_a_conversation_without_a_template_is_one_text() -> None:
    tokenizer = TOKENIZERS["gpt2"]()
    codec = HubCodec(tokenizer)
    end = tokenizer.eos_token
    written = f"user: hello\nassistant: yo{end}user: more\nassistant: fine{end}"
    tokens, counted = row(chat(*TALK), codec)
    assert tokens == tokenizer(written)["input_ids"][:-1]
    assert tokenizer.decode(counted).replace(" ", "") == f"yo{end}fine{end}"
    assert prompt_of(chat(*TALK), codec) == written.removesuffix(f"fine{end}")


@pytest.mark.filterwarnings("ignore:This sequence already has")
@pytest.mark.parametrize(("prompt", "response"), [*PAIRS, ("\u00e9", "\u00e9")])
def test_a_tokenizer_without_offsets_is_searched(prompt: str, response: str) -> None:
    tokenizer = ByT5Tokenizer()
    tokens, counted = row(pair(prompt, response), HubCodec(tokenizer))
    whole = tokenizer(prompt + response)["input_ids"]  # it ends the text itself
    assert tokens[-len(whole) + 1 :] == whole[:-1]
    assert counted == whole[len(prompt.encode()) :]


def test_a_tokenizer_that_changes_the_text_and_tells_no_offsets_is_refused() -> None:
    with pytest.raises(LabError, match=r"changes the text .* choose a base model"):
        searched_spans(lambda ids: "x" * len(ids), "ab", [1, 2], [1, 2])


@pytest.mark.parametrize("name", ["llama2", "gpt2"])
def test_an_answer_that_begins_inside_a_token_is_noticed(name: str) -> None:
    codec = HubCodec(TOKENIZERS[name]())
    assert splits_token(pair("hello ", "world"), codec)
    assert not splits_token(pair("hello", " world"), codec)
    assert not splits_token(pair("12+34=", "46"), codec)


# What the report says, and what plain transformers answers


@pytest.fixture
def base_of(tmp_path: Path) -> Callable[[str], Path]:
    """The folder of a tiny model with a tokenizer of that name."""

    def make(name: str) -> Path:
        torch.manual_seed(0)
        tokenizer, folder = TOKENIZERS[name](), tmp_path / name
        tokenizer.save_pretrained(folder)
        shape = {
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 1,
            "initializer_range": 0.2,
        }
        config = LlamaConfig(vocab_size=len(tokenizer), num_attention_heads=4, **shape)
        LlamaForCausalLM(config).save_pretrained(folder)
        return folder

    return make


def answer_of_transformers(folder: Path, prompt: str) -> str:
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids_BT = tokenizer(prompt, return_tensors="pt")["input_ids"]
    said_BT = model.generate(ids_BT, max_new_tokens=8, do_sample=False, pad_token_id=0)
    whole = tokenizer.decode(said_BT[0], skip_special_tokens=True)
    return whole.removeprefix(tokenizer.decode(ids_BT[0], skip_special_tokens=True))


@pytest.mark.parametrize("name", ["llama2", "llama3", "gpt2"])
def test_a_text_without_a_prompt_begins_as_in_training(
    name: str, base_of: Callable[[str], Path]
) -> None:
    base, codec = f"hf:{base_of(name)}", HubCodec(TOKENIZERS[name]())
    first = codec.tokenizer.decode(row(pair("", "46"), codec)[0][:1])
    greedy = SamplingConfig(temperature=0)
    begun, written = (list(generate_text(base, prompt, 8, greedy)) for prompt in (first, ""))
    assert written == begun


@pytest.mark.parametrize("name", ["llama2", "gpt2"])
def test_the_merged_model_answers_in_transformers_what_the_report_says(
    name: str, base_of: Callable[[str], Path], tmp_path: Path
) -> None:
    rows = [
        {"prompt": f"{a}+{b}=", "response": f"{a + b} fine"} for a in range(3) for b in range(3)
    ]
    data, base, run = tmp_path / "sums.jsonl", base_of(name), tmp_path / "run"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows * 4))
    options = FinetuneOptions(
        base=f"hf:{base}",
        data=str(data),
        steps=40,
        batch_size=18,
        rank=16,
        learning_rate=0.01,
        every=100,
    )
    with open_session(options, run, torch.device("cpu")) as session:
        *_, finished = session.events()
    assert finished.after.accuracy == 1
    write_merged(run / "adapter", tmp_path / "merged")
    for row in rows:
        answer = answer_of_transformers(tmp_path / "merged", row["prompt"])
        assert answer == row["response"]
        ours = generate_text(str(tmp_path / "merged"), row["prompt"], 8, SamplingConfig(0))
        assert "".join(ours) == answer
