from collections.abc import Callable

from llmlab.sleep.koans.verdict import GREEN, Verdict

Judge = Callable[..., list[Verdict]]

RIGHT = "def f(n):\n    return n + 1"
WRONG = {
    "value": ("def f(n):\n    return n - 1", "test", "wrong"),
    "name": ("def f(n):\n    return m", "test", "NameError"),
    "syntax": ("def f(n:\n    return n", "compile", "SyntaxError"),
    "exit": ("import os\ndef f(n):\n    os._exit(0)", "crash", "exit"),
    "system exit": ("def f(n):\n    raise SystemExit", "crash", "exit"),
    "endless": ("def f(n):\n    while True: pass", "limit", "time"),
    "recursion": ("def f(n):\n    return f(n)", "test", "RecursionError"),
    "imitation": ("def f(n):\n    print('0 0 = 3')\n    return 0", "test", "wrong"),
}


def test_one_process_of_many_programs_gives_each_its_own_verdict(judge_successor: Judge) -> None:
    codes = [RIGHT, *(code for code, _, _ in WRONG.values()), RIGHT]
    first, *between, last = judge_successor("python", *codes)
    assert first == last == GREEN
    expected = [(outcome, error) for _, outcome, error in WRONG.values()]
    assert [(verdict.outcome, verdict.error) for verdict in between] == expected


def test_an_exception_has_its_line_and_its_message(judge_successor: Judge) -> None:
    (verdict,) = judge_successor("python", "def f(n):\n    return [n][3]")
    assert (verdict.line, verdict.message) == (2, "list index out of range")


def test_a_syntax_error_has_its_line(judge_successor: Judge) -> None:
    (verdict,) = judge_successor("python", "def f(n):\n    return (n\n")
    assert verdict.line == 2


def test_output_of_the_program_itself_does_not_disturb(judge_successor: Judge) -> None:
    code = "print('no newline', end='')\ndef f(n):\n    return n + 1"
    assert judge_successor("python", code) == [GREEN]
