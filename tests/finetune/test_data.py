import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from llmlab.finetune.bases import SkillCodec, TextCodec, open_base
from llmlab.finetune.batches import Sequences, encode
from llmlab.finetune.data import (
    Chat,
    Example,
    Message,
    Pair,
    encode_examples,
    last_answer,
    open_data,
    prompt_tokens,
    read_examples,
)
from llmlab.finetune.skills import END, TOKENIZER, new_facts, subtraction
from llmlab.gpt.model import IGNORE
from llmlab.method.errors import LabError

CODEC = SkillCodec()
GOOD = '{"prompt": "1+1=", "response": "2"}'
Folder = Callable[[str], Path]


def pair(prompt: str, response: str) -> Example:
    return Example(Pair(prompt=prompt, response=response), "here")


def chat(*turns: tuple[str, str]) -> Example:
    messages = [Message(role=role, content=content) for role, content in turns]
    return Example(Chat(messages=messages), "here")


def file_of(folder: Path, *lines: str) -> Path:
    path = folder / "data.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def counted(sequences: Sequences, codec: TextCodec = CODEC) -> list[str]:
    """The text that counts in each row."""
    return [codec.decode(row[row != IGNORE].tolist()) for row in sequences.targets_NT]


def codec_of(folder: Path) -> TextCodec:
    prefix = "hf:" if folder.name in ("qwen2", "llama") else ""
    return open_base(f"{prefix}{folder}", device=torch.device("cpu")).tokenizer


# Reading


def test_pairs_and_conversations_are_read(tmp_path: Path) -> None:
    talk = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    reading = read_examples(file_of(tmp_path, GOOD, "", json.dumps(talk)))
    assert [last_answer(example) for example in reading.examples] == ["2", "b"]
    assert [example.where for example in reading.examples] == [
        f"{tmp_path}/data.jsonl, line {line}" for line in (1, 3)
    ]


BAD = {
    '{"prompt": "a"': "not JSON: .* at column 15",
    '["a"]': "no JSON object",
    '{"prompt": "a"}': "response: Field required",
    '{"prompt": "a", "response": ""}': "response: String should have at least 1 character",
    '{"prompt": 1, "response": "a"}': "prompt: Input should be a valid string",
    '{"prompt": NaN, "response": "a"}': "holds NaN",
    '{"prompt": "a", "respons": "a"}': "response: Field required",
    '{"prompt": "\\ud800", "response": "a"}': "half a character",
    '{"messages": []}': "messages: List should have at least 2",
    '{"messages": [{"role": "user"}, {}]}': "messages.0.content: Field required",
    '{"messages": [{"role": "usr", "content": "a"}, {}]}': "messages.0.role: .*'assistant'",
    json.dumps({"messages": [{"role": "user", "content": "a"}] * 2}): "last message is not",
    json.dumps({"messages": [{"role": "assistant", "content": "a"}] * 2}): "first message is",
    "[" * 100_000: "nested too deeply|not JSON",
}


@pytest.mark.parametrize("line", BAD, ids=lambda line: line[:40])
def test_a_bad_line_is_named_by_number_and_reason(tmp_path: Path, line: str) -> None:
    path = file_of(tmp_path, GOOD, "", line)
    with pytest.raises(LabError, match=f"line 3 of {path} is no example.*({BAD[line]}).*skip-bad"):
        read_examples(path)


def test_bad_lines_are_counted_where_they_may_be_skipped(tmp_path: Path) -> None:
    reading = read_examples(file_of(tmp_path, *BAD, GOOD), skip_bad=True)
    assert len(reading.examples) == 1
    assert [skipped.line for skipped in reading.skipped] == list(range(1, len(BAD) + 1))


def test_what_else_a_line_says_is_passed_over(tmp_path: Path) -> None:
    path = file_of(tmp_path, '{"id": 7, "prompt": "1+1=", "response": "2"}')
    assert read_examples(path).examples[0].content == Pair(prompt="1+1=", response="2")


@given(st.binary(max_size=40) | st.text(alphabet='{}[]":,promtesn \n', max_size=60).map(str.encode))
def test_any_file_is_read_or_refused_in_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_bytes(content)
    with pytest.raises(LabError, match=r"^[^\n]*any.jsonl[^\n]*$"):
        read_examples(path)
    path.write_bytes(content + b"\n" + GOOD.encode())
    reading = read_examples(path, skip_bad=True)
    assert len(reading.examples) == 1
    assert len(reading.skipped) == sum(bool(line.strip()) for line in content.split(b"\n"))


def test_bytes_that_are_no_text_are_a_bad_line(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_bytes(GOOD.encode() + b'\r\n{"prompt": "\xff", "response": "a"}\n')
    with pytest.raises(LabError, match=r"line 2 .* is not UTF-8"):
        read_examples(path)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [(["", " "], "holds no example; write one a line"), (["a", "b"], "all its 2 lines are bad")],
)
def test_a_file_without_an_example_is_refused(
    tmp_path: Path, lines: list[str], reason: str
) -> None:
    with pytest.raises(LabError, match=reason):
        read_examples(file_of(tmp_path, *lines), skip_bad=True)


def test_a_file_that_does_not_exist_is_refused_with_the_nearest(tmp_path: Path) -> None:
    file_of(tmp_path, GOOD)
    with pytest.raises(LabError, match=r"did you mean '.*/data\.jsonl'"):
        open_data(f"{tmp_path}/dat.jsonl")
    with pytest.raises(LabError, match=r"cannot read .*: Is a directory"):
        open_data(str(tmp_path))


def test_a_skill_has_items_to_train_and_to_test_on() -> None:
    data, split = open_data("skills:subtraction"), subtraction()
    for examples, items in [(data.train, split.train), (data.test, split.test)]:
        assert [(e.content.prompt, e.content.response) for e in examples] == [
            (item.prompt, item.answer) for item in items
        ]


def test_facts_are_tested_as_they_were_trained() -> None:
    data = open_data("skills:facts:5")
    assert [example.content.prompt for example in data.train] == [i.prompt for i in new_facts(5)]
    assert [e.content for e in data.test] == [e.content for e in data.train]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("skills:maths", "no skill 'maths' .did you mean 'math'"),
        ("skills:facts:0", "asks for 0 facts: ask for 1 to"),
        ("skills:facts:", "asks for no number of facts"),
        ("skills:facts:99999", "asks for 99999 facts"),
        ("math", "say skills:math"),
    ],
)
def test_a_skill_that_does_not_exist_is_refused(source: str, reason: str) -> None:
    with pytest.raises(LabError, match=reason):
        open_data(source)


# Encoding

TEXTS = st.text(alphabet=TOKENIZER.alphabet.replace(END, ""), max_size=6)
PAIRS = st.builds(pair, TEXTS, TEXTS.filter(bool))
TURNS = st.lists(
    st.tuples(st.tuples(st.just("user"), TEXTS), st.tuples(st.just("assistant"), TEXTS)).filter(
        lambda turn: turn[1][1]
    ),
    min_size=1,
    max_size=2,
)
CHATS = TURNS.map(lambda turns: chat(*(message for turn in turns for message in turn)))
EXAMPLES = st.lists(PAIRS | CHATS, min_size=1, max_size=8)


def answers(example: Example) -> list[str]:
    if isinstance(example.content, Pair):
        return [example.content.response + END]
    return [m.content + END for m in example.content.messages if m.role == "assistant"]


@given(EXAMPLES, st.booleans())
def test_every_target_is_the_next_token_of_an_answer_and_nothing_else_counts(
    examples: list[Example], pack: bool
) -> None:
    sequences = encode_examples(examples, CODEC, context=80, pack=pack)
    following_NT = sequences.tokens_NT[:, 1:]
    counted_NT = sequences.targets_NT[:, :-1] != IGNORE
    is_next_NT = following_NT == sequences.targets_NT[:, :-1]
    is_last_NT = following_NT == CODEC.pad  # the row's last target is no input any more
    assert (is_next_NT | is_last_NT)[counted_NT].all()
    expected = sorted("".join(answers(example)) for example in examples)
    if not pack:
        assert sorted(counted(sequences)) == expected
    assert sorted("".join(counted(sequences))) == sorted("".join(expected))


@given(EXAMPLES)
def test_packed_rows_hold_the_same_texts_in_fewer_tokens(examples: list[Example]) -> None:
    apart = encode_examples(examples, CODEC, context=80)
    packed = encode_examples(examples, CODEC, context=80, pack=True)
    whole = "".join(TOKENIZER.decode(row) + END for row in packed.tokens_NT.tolist())
    for row in apart.tokens_NT.tolist():
        assert TOKENIZER.decode(row) + END in whole
    assert packed.tokens_NT.shape[1] <= 80
    assert len(packed.tokens_NT) <= len(apart.tokens_NT)


def test_a_skill_is_encoded_as_in_the_experiments() -> None:
    data, items = open_data("skills:subtraction"), subtraction().test
    ours, theirs = encode_examples(data.test, CODEC, context=32), encode(items)
    assert torch.equal(ours.tokens_NT, theirs.tokens_NT)
    assert torch.equal(ours.targets_NT, theirs.targets_NT)


def test_packing_fills_rows_up_to_the_context() -> None:
    packed = encode_examples([pair("1+1=", "2")] * 5, CODEC, context=17, pack=True)
    assert packed.tokens_NT.shape == (2, 17)
    assert counted(packed) == ["2\n" * 3, "2\n" * 2]


def test_a_conversation_without_a_template_is_written_line_by_line() -> None:
    first, second = [("user", "a"), ("assistant", "b")], [("user", "c"), ("assistant", "d")]
    example = chat(("system", "be"), *first, *second)
    sequences = encode_examples([example], CODEC, context=60)
    written = "system: be\nuser: a\nassistant: b\nuser: c\nassistant: d"
    assert TOKENIZER.decode(sequences.tokens_NT[0].tolist()) == written
    assert counted(sequences) == ["b\nd\n"]


def test_a_conversation_is_written_as_the_template_of_the_tokenizer_has_it(made: Folder) -> None:
    codec = codec_of(made("qwen2"))
    example = chat(("user", "the cat"), ("assistant", "sat"), ("user", "on"), ("assistant", "mat"))
    sequences = encode_examples([example], codec, context=60)
    assert codec.decode(sequences.tokens_NT[0].tolist()) == (
        "<|im_start|>user\nthe cat<|im_end|>\n<|im_start|>assistant\nsat<|im_end|>\n"
        "<|im_start|>user\non<|im_end|>\n<|im_start|>assistant\nmat<|im_end|>"
    )
    assert counted(sequences, codec) == ["sat<|im_end|>mat<|im_end|>"]


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ messages | length }}", "changes what came before an answer"),
        ("{{ raise_exception('no system') }}", "refuses the conversation .no system"),
    ],
)
def test_a_template_that_cannot_be_used_is_refused(
    base_folder: Folder, template: str, reason: str
) -> None:
    codec = codec_of(base_folder("qwen2"))
    codec.tokenizer.chat_template = template
    with pytest.raises(LabError, match=f"here: the chat template .*{reason}"):
        encode_examples([chat(("user", "a"), ("assistant", "b"))], codec, context=60)


@pytest.mark.parametrize("form", ["run", "llama"])
def test_a_pair_counts_its_response_and_the_end(made: Folder, form: str) -> None:
    codec = codec_of(made(form))
    sequences = encode_examples([pair("the cat ", "sat")], codec, context=32)
    assert counted(sequences, codec) == ["sat" + codec.decode([codec.end])]


def test_an_empty_prompt_follows_the_end_of_another_text() -> None:
    sequences = encode_examples([pair("", "ab")], CODEC, context=32)
    assert TOKENIZER.decode(sequences.tokens_NT[0].tolist()) == "\nab"
    assert counted(sequences) == ["ab\n"]


@given(PAIRS | CHATS)
def test_the_prompt_is_what_stands_before_the_last_answer(example: Example) -> None:
    row = [i for i in encode_examples([example], CODEC, 80).tokens_NT[0].tolist() if i != CODEC.pad]
    assert prompt_tokens(example, CODEC) + CODEC.encode(last_answer(example)) == row


@pytest.mark.parametrize(
    ("example", "reason"),
    [
        (pair("1+1=", "2" * 30), "here: the example needs 34 tokens and the context holds 32"),
        (pair("é", "a"), "here: the character 'é' is not in the tokenizer's alphabet"),
        (pair("a", "b\nc"), r"here: the answer holds '\\n', which ends an answer"),
    ],
)
def test_an_example_that_does_not_fit_the_base_is_named(example: Example, reason: str) -> None:
    with pytest.raises(LabError, match=reason):
        encode_examples([pair("a", "b"), example], CODEC, context=32)


def test_no_example_is_refused() -> None:
    with pytest.raises(LabError, match="no example"):
        encode_examples([], CODEC, context=32)
