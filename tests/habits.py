"""Habits that bring out faults on other machines, found in source code by its syntax tree.

Each function answers with the lines at which a module has the habit. What a test of the whole
repository allows stands beside that test, with its reason.
"""

import ast
from collections.abc import Callable, Iterator

JOINING = {"cat", "chain", "concatenate", "extend", "from_iterable", "hstack", "sum"}
"""Functions and methods that join sequences."""
PARSERS = {
    ("json", "load"),
    ("json", "loads"),
    ("pickle", "load"),
    ("pickle", "loads"),
    ("tomllib", "load"),
    ("tomllib", "loads"),
    ("torch", "load"),
    ("yaml", "load"),
    ("yaml", "safe_load"),
}
CODECS = {"ascii", "latin-1", "utf-8"}
YIELDS = (ast.Yield, ast.YieldFrom)
STARTERS = {"run", "Popen", "call", "check_call", "check_output"}


OPEN_NO_TEXT = ("os", "webbrowser", "Image", "tarfile", "pikepdf")
"""Whose `open` opens something else."""


def text_without_encoding(tree: ast.AST) -> Iterator[int]:
    """Text files, or the output of programs, in whatever encoding the machine has."""
    for call in _calls(tree):
        owner, name = _name(call)
        is_text = {
            "open": not _is_binary(call) and owner not in OPEN_NO_TEXT,
            "read_text": bool(owner) and not call.args,
            "write_text": bool(owner),
        }.get(name, owner == "subprocess" and _says(call, "text", "universal_newlines"))
        if is_text and not _says(call, "encoding"):
            yield call.lineno


def programs_in_the_users_environment(tree: ast.AST) -> Iterator[int]:
    """Programs that inherit the variables by which the user configures them."""
    for call in _calls(tree):
        owner, name = _name(call)
        is_bare = all(keyword.arg != "env" for keyword in call.keywords)
        if (owner == "subprocess" and name in STARTERS and is_bare) or (
            owner == "os" and name in ("system", "popen")
        ):
            yield call.lineno


def pieces_encoded_apart(tree: ast.AST) -> Iterator[int]:
    """Token ids of several texts, joined: a tokenizer may begin each text in another way.

    A generator that yields ids of two texts is taken to have them joined.
    """
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef():
                found = sum(isinstance(n, YIELDS) and _encodes(n) for n in ast.walk(node)) > 1
            case ast.BinOp(op=ast.Add(), left=left, right=right):
                found = _encodes(left) and _encodes(right)
            case ast.AugAssign(op=ast.Add(), value=value):
                found = _encodes(value)
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                found = sum(isinstance(p, ast.Starred) and _encodes(p) for p in parts) > 1
            case ast.ListComp(generators=[_, *later]) | ast.GeneratorExp(generators=[_, *later]):
                found = any(_encodes(one.iter) for one in later)
            case ast.Call():
                found = _name(node)[1] in JOINING and any(map(_encodes, node.args))
            case _:
                found = False
        if found:
            yield node.lineno


def foreign_files_read_raw(tree: ast.AST) -> Iterator[int]:
    """Parsers whose errors are no sentences, and whose values have no type."""
    return (call.lineno for call in _calls(tree) if _name(call) in PARSERS)


def folders_made(tree: ast.AST) -> Iterator[int]:
    """Folders that are made: two processes may write into one, unless somebody holds it."""
    return (call.lineno for call in _calls(tree) if _name(call)[1] in ("mkdir", "makedirs"))


HABITS: dict[str, Callable[[ast.AST], Iterator[int]]] = {
    habit.__name__: habit
    for habit in (
        text_without_encoding,
        programs_in_the_users_environment,
        pieces_encoded_apart,
        foreign_files_read_raw,
        folders_made,
    )
}


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _name(call: ast.Call) -> tuple[str, str]:
    """What a function belongs to, in source code, and its name: ("json", "load")."""
    if isinstance(call.func, ast.Attribute):
        return ast.unparse(call.func.value), call.func.attr
    return "", call.func.id if isinstance(call.func, ast.Name) else ""


def _says(call: ast.Call, *names: str) -> bool:
    """Whether a keyword is there, or may be among those that are passed on."""
    return any(keyword.arg in (*names, None) for keyword in call.keywords)


def _is_binary(call: ast.Call) -> bool:
    """Whether a file is opened for bytes, by any string among its arguments that is a mode."""
    strings = (
        node.value
        for argument in (*call.args, *(keyword.value for keyword in call.keywords))
        for node in ast.walk(argument)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    return any("b" in string and set(string) <= set("rwaxb+") for string in strings)


def _encodes(node: ast.AST) -> bool:
    return any(map(_is_encoding, _calls(node)))


def _is_encoding(call: ast.Call) -> bool:
    """Whether a tokenizer is asked for ids; `str.encode` has no argument, or a codec's name."""
    owner, name = _name(call)
    if not (owner and name == "encode" and call.args):
        return False
    first = call.args[0]
    return not (isinstance(first, ast.Constant) and first.value in CODECS)
