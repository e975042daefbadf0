from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from llmlab.finetune.command.encoding import encode_examples, prompt_of
from llmlab.finetune.command.examples import (
    Chat,
    Example,
    Message,
    Pair,
    open_dataset,
)
from llmlab.finetune.model.catalog import open_pretrained
from llmlab.finetune.model.codecs import SkillCodec, TextCodec
from llmlab.finetune.tasks.batches import Sequences, encode
from llmlab.finetune.tasks.skills import END, TOKENIZER, subtraction
from llmlab.gpt.model import IGNORE
from llmlab.method.errors import LabError

CODEC = SkillCodec()
Folder = Callable[[str], Path]


def pair(prompt: str, response: str) -> Example:
    return Example(Pair(prompt=prompt, response=response), "here")


def chat(*turns: tuple[str, str]) -> Example:
    messages = [Message(role=role, content=content) for role, content in turns]
    return Example(Chat(messages=messages), "here")


def counted(sequences: Sequences, codec: TextCodec = CODEC) -> list[str]:
    """The text that counts in each row."""
    return [codec.decode(row[row != IGNORE].tolist()) for row in sequences.targets_NT]


def codec_of(folder: Path) -> TextCodec:
    prefix = "hf:" if folder.name in ("qwen2", "llama") else ""
    return open_pretrained(f"{prefix}{folder}", device=torch.device("cpu")).tokenizer


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
    data, items = open_dataset("skills:subtraction"), subtraction().test
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
        ("{{ messages | length }}", "rewrites what comes before an answer"),
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
    sequences = encode_examples([pair("the cat", " sat")], codec, context=32)
    assert counted(sequences, codec) == [" sat" + codec.decode([codec.end])]


def test_an_empty_prompt_follows_the_end_of_another_text() -> None:
    sequences = encode_examples([pair("", "ab")], CODEC, context=32)
    assert TOKENIZER.decode(sequences.tokens_NT[0].tolist()) == "\nab"
    assert counted(sequences) == ["ab\n"]


@given(PAIRS | CHATS)
def test_the_prompt_is_what_stands_before_the_last_answer(example: Example) -> None:
    row = encode_examples([example], CODEC, 80).tokens_NT[0].tolist()
    before = prompt_of(example, CODEC) or END
    assert before + answers(example)[-1].removesuffix(END) == CODEC.decode(row)


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
