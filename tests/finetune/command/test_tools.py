"""Conversations with tools have the tokens of the template, and only the assistant's count."""

import copy
import json
from pathlib import Path

import pytest

from llmlab.finetune.command.encoding import encode_examples, prompt_of
from llmlab.finetune.command.examples import Chat, Example, read_examples
from llmlab.finetune.model.codecs import HubCodec, TextCodec
from llmlab.gpt.model import IGNORE
from llmlab.method.errors import LabError
from tests.finetune.tokenizers import TOKENIZERS, WITH_TOOLS

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "more",
            "description": "hello",
            "parameters": {"type": "object", "properties": {"be": {"type": "string"}}},
        },
    }
]
CALL = {
    "type": "function",
    "id": "123456789",
    "function": {"name": "more", "arguments": {"be": "5"}},
}
SECOND = {"type": "function", "id": "abcdefghi", "function": {"name": "more", "arguments": {}}}
TALK = [
    {"role": "user", "content": "hello"},
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "content": "world 5", "tool_call_id": "123456789", "name": "more"},
    {"role": "assistant", "content": "fine"},
    {"role": "user", "content": "hello 2"},
    {"role": "assistant", "content": "", "tool_calls": [CALL, SECOND]},
    {"role": "tool", "content": "user 5", "tool_call_id": "123456789", "name": "more"},
    {"role": "tool", "content": "user 6", "tool_call_id": "abcdefghi", "name": "more"},
    {"role": "assistant", "content": "yo"},
]
QWEN_CALL = '<tool_call>\n{"name": "more", "arguments": {"be": "5"}}\n</tool_call>'
QWEN_SECOND = '<tool_call>\n{"name": "more", "arguments": {}}\n</tool_call>'
MISTRAL_CALL = '{"name": "more", "arguments": {"be": "5"}}'
END = "<|im_end|>"
SAID = {
    "qwen_tools": [
        f"{QWEN_CALL}{END}",
        f"fine{END}",
        f"{QWEN_CALL}\n{QWEN_SECOND}{END}",
        f"yo{END}",
    ],
    "qwen3_tools": [
        f"{QWEN_CALL}{END}",
        f"fine{END}",
        f"{QWEN_CALL}\n{QWEN_SECOND}{END}",
        f"<think>\n\n</think>\n\nyo{END}",
    ],
    "qwen_tools_marked": [
        f"\n{QWEN_CALL}{END}\n",
        f"\nfine{END}\n",
        f"\n{QWEN_CALL}\n{QWEN_SECOND}{END}\n",
        f"\nyo{END}\n",
    ],
    "mistral_tools": [
        f"[TOOL_CALLS] [{MISTRAL_CALL}]</s>",
        " fine</s>",
        f'[TOOL_CALLS] [{MISTRAL_CALL}, {{"name": "more", "arguments": {{}}}}]</s>',
        " yo</s>",
    ],
}
"""What counts of each answer, by the name of the tokenizer."""


def example(messages: list[dict], tools: list[dict] | None = TOOLS) -> Example:
    return Example(Chat.model_validate({"messages": messages, "tools": tools or []}), "here")


def row(content: Example, codec: TextCodec) -> tuple[list[int], list[int]]:
    """The tokens of an example, and the targets that count."""
    sequences = encode_examples([content], codec, context=2000)
    (tokens,), (targets,) = sequences.tokens_NT.tolist(), sequences.targets_NT.tolist()
    return tokens, [index for index in targets if index != IGNORE]


@pytest.mark.parametrize("name", WITH_TOOLS)
@pytest.mark.parametrize("n_messages", [2, 4, 6, 9])
def test_the_tokens_are_those_of_the_template(name: str, n_messages: int) -> None:
    tokenizer, talk = WITH_TOOLS[name](), TALK[:n_messages]
    tokens, _ = row(example(talk), HubCodec(tokenizer))
    whole = tokenizer.apply_chat_template(talk, tools=TOOLS, tokenize=True, return_dict=False)
    assert tokens == whole[:-1]


@pytest.mark.parametrize("name", WITH_TOOLS)
@pytest.mark.parametrize("n_answers", [1, 4])
def test_what_the_assistant_says_and_calls_counts_and_nothing_else(
    name: str, n_answers: int
) -> None:
    tokenizer = WITH_TOOLS[name]()
    talk = TALK if n_answers == 4 else TALK[:2]
    _, counted = row(example(talk), HubCodec(tokenizer))
    said = "".join(SAID[name][:n_answers])
    assert tokenizer.decode(counted).replace(" ", "") == said.replace(" ", "")


def test_a_call_of_weight_0_does_not_count() -> None:
    tokenizer = WITH_TOOLS["qwen_tools"]()
    masked = [TALK[0], {**TALK[1], "weight": 0}, *TALK[2:4]]
    tokens, counted = row(example(masked), HubCodec(tokenizer))
    assert tokens == row(example(TALK[:4]), HubCodec(tokenizer))[0]
    assert tokenizer.decode(counted) == f"fine{END}"


@pytest.mark.parametrize("name", WITH_TOOLS)
def test_the_prompt_holds_the_tools_and_begins_the_text(name: str) -> None:
    codec = HubCodec(WITH_TOOLS[name]())
    prompt = codec.encode_prompt(prompt_of(example(TALK[:4]), codec))
    assert prompt == row(example(TALK[:4]), codec)[0][: len(prompt)]
    assert "hello" in codec.decode(prompt)


def test_the_template_for_tools_is_taken_where_a_tokenizer_has_two() -> None:
    tokenizer = WITH_TOOLS["qwen_tools"]()
    alone = row(example(TALK[:4]), HubCodec(tokenizer))
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.chat_template = {
        "default": TOKENIZERS["qwen"]().chat_template,
        "tool_use": tokenizer.chat_template,
    }
    assert row(example(TALK[:4]), HubCodec(tokenizer)) == alone


DEAF = "{% for m in messages if m.role != 'tool' %}{{ m.role + ': ' + m.content }}{% endfor %}"


@pytest.mark.parametrize(
    ("template", "messages", "tools", "what"),
    [
        (None, TALK[:4], TOOLS, "the base model has no chat template, which would say how tools"),
        ("qwen", TALK[:4], TOOLS, "template of the tokenizer does not write the tools: choose a"),
        ("qwen", TALK[:4], None, "template of the tokenizer does not write calls of tools: choose"),
        (DEAF, [TALK[0], *TALK[2:4]], None, "tokenizer does not write what tools answer: choose a"),
    ],
)
def test_a_template_that_knows_no_tools_is_named(
    template: str | None, messages: list[dict], tools: list[dict] | None, what: str
) -> None:
    tokenizer = copy.deepcopy(TOKENIZERS["gpt2"]())
    tokenizer.chat_template = (
        TOKENIZERS[template]().chat_template if template == "qwen" else template
    )
    with pytest.raises(LabError, match=f"^here: .*{what}"):
        row(example(messages, tools), HubCodec(tokenizer))


# Reading


def read(folder: Path, document: dict) -> Chat:
    path = folder / "data.jsonl"
    path.write_text(json.dumps(document) + "\n", encoding="utf-8")
    reading = read_examples(path)
    assert reading.unread == {}
    return reading.examples[0].content


def test_tools_and_arguments_may_be_json_in_a_string(tmp_path: Path) -> None:
    packed = {**CALL, "function": {"name": "more", "arguments": '{"be": "5"}'}}
    talk = [TALK[0], {"role": "assistant", "content": None, "tool_calls": [packed]}, *TALK[2:4]]
    found = read(tmp_path, {"messages": talk, "tools": json.dumps(TOOLS)})
    assert found == read(tmp_path, {"messages": TALK[:4], "tools": TOOLS})


def test_a_call_may_stand_without_the_word_function(tmp_path: Path) -> None:
    talk = [TALK[0], {"role": "assistant", "tool_calls": [{"name": "more"}]}]
    assert read(tmp_path, {"messages": talk}).messages[1].tool_calls == [
        {"name": "more", "arguments": {}}
    ]


def called(call: object) -> dict:
    return {"messages": [TALK[0], {"role": "assistant", "content": "", "tool_calls": call}]}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (called([{"id": "1"}]), "messages.1.tool_calls.0: a call names no function"),
        (called([7]), "a call is not an object"),
        (called(7), "Input should be a valid list"),
        (called([{"name": "more", "arguments": "be 5"}]), "it is not JSON: Expecting value"),
        (called([{"name": "more", "arguments": [1]}]), "arguments of a call are not an object"),
        ({"messages": TALK[:4], "tools": "more"}, "it is not JSON: Expecting value"),
        ({"messages": TALK[:4], "tools": {"more": 1}}, "tools: Input should be a valid list"),
        ({"messages": TALK[:3]}, "the last message is not the assistant's"),
        (
            {"messages": [{**TALK[0], "tool_calls": [CALL]}, *TALK[1:2]]},
            "0 has the key 'tool_calls'",
        ),
    ],
)
def test_tools_that_are_none_are_named(tmp_path: Path, document: dict, reason: str) -> None:
    with pytest.raises(LabError, match=f"line 1 of .*{reason}"):
        read(tmp_path, document)
