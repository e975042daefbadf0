import gzip
import json
import tracemalloc
from pathlib import Path

import pytest
from fuzzing import assert_survives, mutated_lines, overwrite
from hypothesis import given
from hypothesis import strategies as st

from llmlab.finetune.command.examples import Chat, Pair, open_dataset, read_examples
from llmlab.finetune.tasks.skills import new_facts, subtraction
from llmlab.method.errors import LabError

GOOD = '{"prompt": "1+1=", "response": "2"}'


def file_of(folder: Path, *lines: str) -> Path:
    path = folder / "data.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


# Reading


def test_pairs_and_conversations_are_read(tmp_path: Path) -> None:
    talk = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    reading = read_examples(file_of(tmp_path, GOOD, "", json.dumps(talk)))
    first, second = (example.content for example in reading.examples)
    assert (first.response, second.messages[-1].content) == ("2", "b")
    assert [example.where for example in reading.examples] == [
        f"{tmp_path}/data.jsonl, line {line}" for line in (1, 3)
    ]


BAD = {
    '{"prompt": "a"': "not JSON: .* at column 15",
    '"a"': "not a JSON object",
    f"[{GOOD}]": "an array: write each of its objects on a line of its own",
    f"{GOOD},": "a comma follows the object: remove it",
    '{"prompt": "a"}': "'response' is missing",
    '{"prompt": "a", "response": ""}': "response: String should have at least 1 character",
    '{"prompt": 1, "response": "a"}': "prompt: Input should be a valid string",
    '{"prompt": NaN, "response": "a"}': "holds NaN",
    '{"prompt": "a", "respons": "a"}': "key 'respons' .did you mean 'response'",
    '{"prompt": "a", "prompt": "b", "response": "a"}': "it has the key 'prompt' twice",
    '{"prompt": "a", "response": "a", "weight": 0}': "it has the key 'weight', which is not",
    '{"prompt": "a", "response": "b", "n": ' + "1" * 6000 + "}": "a number of 6,000 digits",
    '{"prompt": "' + "a" * 2**22 + '", "response": "b"}': "longer than 4,194,304 bytes",
    '{"prompt": "\\ud800", "response": "a"}': "half a character",
    '{"messages": []}': "messages: List should have at least 2",
    '{"messages": [{"role": "user"}, {}]}': "'messages.0.content' is missing",
    '{"messages": [{"role": "usr", "content": "a"}, {}]}': "messages.0.role: .*'assistant'",
    json.dumps({"messages": [{"role": "user", "content": "a"}] * 2}): "last message is not",
    json.dumps({"messages": [{"role": "assistant", "content": "a"}] * 2}): "first message is",
    "[": "object of several lines: write each on one",
    "[" * 100_000: "nested too deeply|not JSON",
}


@pytest.mark.parametrize("line", BAD, ids=lambda line: line[:40])
def test_a_bad_line_is_named_by_number_and_reason(tmp_path: Path, line: str) -> None:
    path = file_of(tmp_path, GOOD, "", line)
    refusal = f"line 3 of {path} is not an example.*({BAD[line]}).*skip-bad"
    with pytest.raises(LabError, match=refusal):
        read_examples(path)


def test_bad_lines_are_counted_where_they_may_be_skipped(tmp_path: Path) -> None:
    reading = read_examples(file_of(tmp_path, *BAD, GOOD), skip_bad=True)
    assert len(reading.examples) == 1
    assert [skipped.line for skipped in reading.skipped] == list(range(1, len(BAD) + 1))


def test_what_else_a_line_says_is_counted(tmp_path: Path) -> None:
    labelled = json.dumps({"messages": [{**message, "name": "x"} for message in TALK], "id": 8})
    reading = read_examples(
        file_of(tmp_path, '{"id": 7, "prompt": "1+1=", "response": "2"}', labelled)
    )
    assert reading.examples[0].content == Pair(prompt="1+1=", response="2")
    assert reading.unread == {"id": 2, "messages.*.name": 1}


TALK = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]
CHANGED = {
    "it has the key 'functions', which is not supported": {"messages": TALK, "functions": [{}]},
    "messages.1 has the key 'training', which is not": {
        "messages": [TALK[0], {**TALK[1], "training": False}]
    },
    "it has 'instruction', 'output', where .*is read": {"instruction": "a", "output": "b"},
    "it has the key 'prompt', which is not supported": {"messages": TALK, "prompt": "a"},
    "messages.1 has the key 'function_call' .did you mean 'tool_calls'": {
        "messages": [TALK[0], {**TALK[1], "function_call": {"name": "f"}}]
    },
    "messages.1 has the key 'wieght' .did you mean 'weight'": {
        "messages": [TALK[0], {**TALK[1], "wieght": 0}]
    },
    "messages.1.weight: Input should be 0 or 1": {"messages": [TALK[0], {**TALK[1], "weight": 2}]},
    "it has the key 'system', which is not": {"messages": TALK, "system": "Be brief."},
    "it has the key 'history', which is not": {"prompt": "a", "response": "b", "history": ["c"]},
    "messages.1 has the key 'reasoning', which is not": {
        "messages": [TALK[0], {**TALK[1], "reasoning": "hm"}]
    },
    "every answer has weight 0": {"messages": [TALK[0], {**TALK[1], "weight": 0}]},
}


@pytest.mark.parametrize("reason", CHANGED)
def test_what_would_change_what_is_learned_is_refused_by_line_and_key(
    tmp_path: Path, reason: str
) -> None:
    path = file_of(tmp_path, GOOD, json.dumps(CHANGED[reason]))
    with pytest.raises(LabError, match=f"line 2 of .* is not an example .{reason}"):
        read_examples(path)


def test_keys_that_hold_nothing_change_nothing(tmp_path: Path) -> None:
    filled = {**TALK[1], "tool_calls": None, "refusal": None, "weight": None}
    line = {"messages": [TALK[0], filled], "tools": [], "functions": None, "prompt": None}
    reading = read_examples(file_of(tmp_path, json.dumps(line)))
    assert reading.examples[0].content == Chat.model_validate({"messages": TALK})
    assert reading.unread == {}


def test_an_answer_of_weight_0_is_read_and_not_learned(tmp_path: Path) -> None:
    talk = [TALK[0], {**TALK[1], "weight": 0}, TALK[0], {**TALK[1], "weight": 1}]
    content = read_examples(file_of(tmp_path, json.dumps({"messages": talk}))).examples[0].content
    assert content.learned == [3]


def test_a_line_too_long_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    with path.open("wb") as file:  # without room on the disk
        file.write(GOOD.encode() + b"\n")
        file.seek(40_000_000, 1)
        file.write(b"\n" + GOOD.encode())
    tracemalloc.start()
    reading = read_examples(path, skip_bad=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [len(reading.examples), [bad.line for bad in reading.skipped]] == [2, [2]]
    assert peak < 20_000_000


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
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
    ("content", "reason"),
    [
        (gzip.compress(GOOD.encode(), mtime=0), "it is compressed: unpack the file"),
        (GOOD.encode("utf-16"), "it is UTF-16: save the file as UTF-8"),
    ],
)
def test_a_file_of_another_form_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "data.jsonl"
    path.write_bytes(content)
    with pytest.raises(LabError, match=reason):
        read_examples(path)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [(["", " "], "holds no example: write one a line"), (["a", "b"], "all its 2 lines are bad")],
)
def test_a_file_without_an_example_is_refused(
    tmp_path: Path, lines: list[str], reason: str
) -> None:
    with pytest.raises(LabError, match=reason):
        read_examples(file_of(tmp_path, *lines), skip_bad=True)


def test_a_file_that_does_not_exist_is_refused_with_the_nearest(tmp_path: Path) -> None:
    file_of(tmp_path, GOOD)
    with pytest.raises(LabError, match=r"did you mean '.*/data\.jsonl'"):
        open_dataset(f"{tmp_path}/dat.jsonl")
    with pytest.raises(LabError, match=r"cannot read .*: Is a directory"):
        open_dataset(str(tmp_path))


def test_a_skill_has_items_to_train_and_to_test_on() -> None:
    data, split = open_dataset("skills:subtraction"), subtraction()
    for examples, items in [(data.train, split.train), (data.test, split.test)]:
        assert [(e.content.prompt, e.content.response) for e in examples] == [
            (item.prompt, item.answer) for item in items
        ]


def test_facts_are_tested_as_they_were_trained() -> None:
    data = open_dataset("skills:facts:5")
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
        open_dataset(source)


def test_fuzz_lines_of_examples(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    call = {"function": {"name": "f", "arguments": '{"a": 1}'}}
    documents = [
        json.loads(GOOD),
        {"messages": [TALK[0], {**TALK[1], "weight": 1}], "id": 3},
        {"messages": [TALK[0], {"role": "assistant", "tool_calls": [call]}], "tools": "[{}]"},
    ]

    def read(content: bytes) -> None:
        overwrite(path, content)
        read_examples(path)

    assert assert_survives(read, lambda draw: mutated_lines(documents, draw)) > 0
