"""Runs in a process of its own, without the lab: `python -I python_harness.py MARK FIRST`.

Reads programs.json: [[number, code, [expression, ...]], ...].
"""

import json
import sys
import traceback
from collections.abc import Callable

NAME = "<koan>"


def main() -> None:
    mark, first = sys.argv[1], int(sys.argv[2])
    write = sys.stdout.write
    with open("programs.json", encoding="utf-8") as file:
        programs = json.load(file)
    for number, code, expressions in programs:
        if number >= first:
            judge(number, code, expressions, lambda text: write(f"\n{mark} {text}\n"))
    sys.stdout.flush()


def judge(number: int, code: str, expressions: list[str], tell: Callable[[str], object]) -> None:
    """Announce a program, then tell the value of each expression or what was raised."""
    tell(f"{number} 0 ?")
    sys.stdout.flush()
    try:
        names: dict[str, object] = {"__name__": NAME}
        exec(compile(code, NAME, "exec"), names)
        for index, expression in enumerate(expressions):
            value = repr(eval(compile(expression, "<case>", "eval"), names))
            tell(f"{number} {index} = " + value.replace("\n", "\\n"))
    except Exception as error:
        message = " ".join(str(error).split())
        tell(f"raised {line_of(error)} {type(error).__name__} {message}")


def line_of(error: Exception) -> int:
    """The innermost line of the program that the error passed through; 0 if there is none."""
    if isinstance(error, SyntaxError):
        return error.lineno or 0
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno or 0 for frame in frames if frame.filename == NAME]
    return lines[-1] if lines else 0


if __name__ == "__main__":
    main()
