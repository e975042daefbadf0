"""What people or other programs wrote is read, or a sentence of one line says why not."""

import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from fuzzing import assert_survives, mutated_bytes, mutated_json
from pydantic import TypeAdapter, ValidationError

from llmlab.method.documents import first_mistake, listed, parse_json, parse_toml
from llmlab.method.errors import LabError

DEEP = 100_000
BOMBS = {
    "lists": "[" * DEEP + "]" * DEEP,
    "open lists": "[" * DEEP,
    "tables": '{"a":' * DEEP + "1" + "}" * DEEP,
}


@dataclass
class Point:
    x: int

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError("left of the axis")


def test_toml_is_a_table() -> None:
    assert parse_toml('a = 1\n[b]\nc = "x"\n', "it") == {"a": 1, "b": {"c": "x"}}


def test_json_is_any_value() -> None:
    assert parse_json(b'[1, {"a": null}]', "it") == [1, {"a": None}]


@pytest.mark.parametrize("name", BOMBS)
def test_nesting_without_end_is_a_sentence(name: str) -> None:
    for parse, text in ((parse_json, BOMBS[name]), (parse_toml, f"a = {BOMBS[name]}")):
        with pytest.raises(LabError, match=r"^file\.x is not valid (JSON|TOML): .*; ") as caught:
            parse(text, "file.x")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["a." * DEEP + "a = 1", "[" + "a . " * DEEP + "a]"])
def test_keys_without_end_are_a_sentence(text: str) -> None:
    with pytest.raises(LabError, match="nested too deep"):
        parse_toml(text, "file.toml")


def test_a_number_of_6000_digits_is_a_sentence() -> None:
    with pytest.raises(LabError, match="is not valid TOML"):
        parse_toml("seeds = " + "9" * 6000, "file.toml")


@pytest.mark.parametrize(
    ("parse", "make"),
    [
        (parse_toml, lambda draw: mutated_bytes(b'[[a]]\nb = "c"\nd = [1, 2.5]\n', draw)),
        (parse_json, lambda draw: mutated_json({"a": [1, {"b": "c"}]}, draw)),
    ],
    ids=["toml", "json"],
)
def test_fuzz_documents(parse: Callable, make: Callable[[random.Random], bytes]) -> None:
    read = lambda content: parse(content.decode("utf-8", "replace"), "it")  # noqa: E731
    assert assert_survives(read, make) > 0


def test_of_many_names_the_first_are_listed():
    assert listed(["a", "b"], 4) == "a, b"
    assert listed(list("abcdef"), 4) == "a, b, c, d and 2 more"


@pytest.mark.parametrize(
    ("form", "value", "mistake"),
    [
        (list[int], [1, "a"], "1: Input should be a valid integer"),
        (Point, {}, "'x' is missing"),
        (Point, {"x": -1}, "left of the axis"),
    ],
)
def test_the_first_mistake_has_its_place(form: type, value: object, mistake: str) -> None:
    with pytest.raises(ValidationError) as error:
        TypeAdapter(form).validate_python(value)
    assert first_mistake(error.value).startswith(mistake)
