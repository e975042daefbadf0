from collections.abc import Callable

import pytest

from llmlab.method.errors import LabError
from llmlab.sleep.koans import rust
from llmlab.sleep.koans.judges import judge
from llmlab.sleep.koans.koan import Case, Program
from llmlab.sleep.koans.verdict import GREEN, Verdict
from llmlab.sleep.sandbox.sandbox import Unguarded

Judge = Callable[..., list[Verdict]]

RIGHT = "fn f(n: i32) -> i32 { n + 1 }"
WRONG = {
    "value": ("fn f(n: i32) -> i32 { n - 1 }", "test", "wrong"),
    "move": ("fn f(n: i32) -> i32 { let s = vec![n]; let t = s; s[0] }", "compile", "E0382"),
    "name": ("fn f(n: i32) -> i32 { x }", "compile", "E0425"),
    "panic": ('fn f(n: i32) -> i32 { panic!("no") }', "test", "panic"),
    "exit": ("fn f(n: i32) -> i32 { std::process::exit(0) }", "crash", "exit"),
    "endless": ("fn f(n: i32) -> i32 { loop {} }", "limit", "time"),
    "recursion": ("fn f(n: i32) -> i32 { f(n) + 1 }", "crash", "exit"),
    "brace": ("fn f(n: i32) -> i32 { n + 1 } } fn main() {", "compile", "syntax"),
    "signature": ("fn f(n: String) -> i32 { 1 }", "compile", "E0308"),
    "imitation": ('fn f(n: i32) -> i32 { println!("test result: ok"); 0 }', "test", "wrong"),
}


@pytest.mark.usefixtures("needs_rust")
def test_one_crate_of_many_programs_gives_each_its_own_verdict(judge_successor: Judge) -> None:
    codes = [RIGHT, *(code for code, _, _ in WRONG.values()), RIGHT]
    first, *between, last = judge_successor("rust", *codes)
    assert first == last == GREEN
    expected = [(outcome, error) for _, outcome, error in WRONG.values()]
    assert [(verdict.outcome, verdict.error) for verdict in between] == expected


@pytest.mark.usefixtures("needs_rust")
def test_an_error_has_its_line_and_its_message(judge_successor: Judge) -> None:
    code = "fn f(n: i32) -> i32 {\n    let s = vec![n];\n    let t = s;\n    s[0]\n}\n"
    (verdict,) = judge_successor("rust", code)
    assert verdict.line == 4
    assert "borrow of moved value: `s`" in verdict.message


@pytest.mark.usefixtures("needs_rust")
def test_a_panic_has_its_line(judge_successor: Judge) -> None:
    code = "fn f(n: i32) -> i32 {\n    let none: Option<i32> = None;\n    none.unwrap() + n\n}\n"
    (verdict,) = judge_successor("rust", code)
    assert (verdict.error, verdict.line) == ("panic", 3)


@pytest.mark.usefixtures("needs_rust")
def test_output_of_the_program_itself_does_not_disturb(judge_successor: Judge) -> None:
    code = 'fn f(n: i32) -> i32 { print!("no newline"); n + 1 }'
    assert judge_successor("rust", code) == [GREEN]


@pytest.mark.usefixtures("needs_rust")
def test_values_of_several_lines_are_compared_whole() -> None:
    program = Program('fn f() -> &\'static str { "a\\nb" }', (Case("f()", '"a\\nb"'),))
    assert judge("rust", [program], Unguarded()) == [GREEN]


def test_without_a_compiler_the_sentence_names_the_remedy(
    monkeypatch: pytest.MonkeyPatch, judge_successor: Judge
) -> None:
    monkeypatch.setattr(rust, "compiler", lambda: None)
    with pytest.raises(LabError, match=r"no Rust compiler.*rustup.*--language python"):
        judge_successor("rust", RIGHT)
