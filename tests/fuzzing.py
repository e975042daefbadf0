"""Damaged input for whatever reads foreign files: anything but success or a LabError fails.

    read = lambda content: read_runs(write(folder / "log.jsonl", content))
    assert_survives(read, lambda draw: mutated_bytes(VALID, draw))

Tests that use this have "fuzz" in their name or their file's: `make fuzz` tries
10,000 inputs a loader.
"""

import copy
import json
import os
import random
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

from llmlab.method.checksums import file_sha256
from llmlab.method.errors import LabError
from llmlab.method.evidence.manifest import MANIFEST, read_manifest

ROUNDS = int(os.environ.get("LLMLAB_FUZZ", "300"))
"""Inputs for each loader."""
SHOWN = 3
"""Failures that a test tells of."""

ODD_BYTES = (b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\xc3", b"\r", b"\x1a", b"\n")
ODD_JSON = (
    *("null", "true", "[]", "{}", '""', '"nan"', '"-inf"', '"x"', "0", "-1", "1.5", "-0.0"),
    *("NaN", "Infinity", "-Infinity", "1e999", "1e-400"),
    *(str(2**31), str(2**53 + 1), str(2**63), str(-(2**64)), "9" * 400, "9" * 6000),
    *('"\\u0000"', '"\\ud800"', '"../../x"', '"' + "x" * 5000 + '"', "[[]]", '{"": null}'),
    *("[" * 500 + "]" * 500, "[" * 100_000 + "]" * 100_000, '{"a":' * 1000 + "1" + "}" * 1000),
)
"""Values, as JSON writes them, that are valid and that no loader waits for."""

_HOLE = "\x01hole\x01"


def assert_survives(
    read: Callable[[bytes], object],
    make: Callable[[random.Random], bytes],
    rounds: int = ROUNDS,
) -> int:
    """Read so many inputs, and return how many of them were read without an error.

    Args:
        read: reads one input; may raise LabError with a message of one line, and nothing else.
        make: an input from a seeded draw.
        rounds: fewer for a reader that takes long.

    Raises:
        AssertionError: names the seeds of inputs that ended otherwise, with the last line of each.
    """
    failures = []
    n_read = 0
    for seed in range(rounds):
        content = make(random.Random(seed))
        try:
            read(content)
            n_read += 1
        except LabError as error:
            if "\n" in str(error):
                failures.append(f"seed {seed}: more than one line: {error}")
        except Exception as error:
            failures.append(f"seed {seed}: {_last_frame(error)} on {content[:80]!r}")
    shown = "\n".join(failures[:SHOWN]).encode("ascii", "backslashreplace").decode()
    assert not failures, f"{len(failures)} of {rounds} inputs: {shown}"
    return n_read


def mutated_bytes(content: bytes, draw: random.Random) -> bytes:
    """The content with one to four places flipped, cut, doubled, removed or filled."""
    changed = bytearray(content)
    for _ in range(draw.randint(1, 4)):
        start = draw.randrange(len(changed) + 1)
        stop = min(len(changed), start + draw.choice((1, 1, 2, 8, 64)))
        part = changed[start:stop]
        kind = draw.choice(("flip", "noise", "cut", "remove", "double", "odd"))
        if kind == "flip" and part:
            changed[start] ^= 1 << draw.randrange(8)
        elif kind == "noise":
            changed[start:stop] = draw.randbytes(len(part))
        elif kind == "cut":
            del changed[start:]
        elif kind == "remove":
            del changed[start:stop]
        elif kind == "double":
            changed[start:start] = part
        elif kind == "odd":
            changed[start:start] = draw.choice(ODD_BYTES)
    return bytes(changed)


def mutated_json(document: object, draw: random.Random) -> bytes:
    """The document as JSON, with one to three values replaced, removed, doubled or renamed."""
    changed = copy.deepcopy(document)
    for _ in range(draw.randint(1, 3)):
        if places := list(_places(changed)):
            _change(*draw.choice(places), draw)
    parts = json.dumps(changed).split(json.dumps(_HOLE))
    return "".join([parts[0], *(draw.choice(ODD_JSON) + part for part in parts[1:])]).encode()


def mutated_lines(documents: list[object], draw: random.Random) -> bytes:
    """The documents as JSON lines, one of them mutated, and now and then two lines swapped."""
    lines = [json.dumps(document).encode() for document in documents]
    place = draw.randrange(len(lines))
    lines[place] = mutated_json(documents[place], draw)
    if draw.random() < 0.2:
        other = draw.randrange(len(lines))
        lines[place], lines[other] = lines[other], lines[place]
    return b"\n".join(lines) + b"\n"


def overwrite(path: Path, content: bytes) -> None:
    """Write a file again; where one is emptied first, ext4 waits some milliseconds for the disk."""
    with open(os.open(path, os.O_RDWR | os.O_CREAT), "wb") as file:
        file.write(content)
        file.truncate()


def put_behind_digest(folder: Path, name: str, content: bytes) -> None:
    """Replace a file of evidence, and have its manifest vouch for it."""
    overwrite(folder / name, content)
    manifest = read_manifest(folder)
    sha256 = {**manifest.sha256, name: file_sha256(folder / name)}
    overwrite(folder / MANIFEST, json.dumps(asdict(replace(manifest, sha256=sha256))).encode())


def _change(holder: dict | list, key: str | int, draw: random.Random) -> None:
    """Change one place; an odd value leaves a hole, since Python cannot hold all of them."""
    kind = draw.choice(("odd", "odd", "odd", "remove", "double", "rename"))
    if kind == "odd":
        holder[key] = _HOLE
        return
    value = holder[key] if kind == "double" else holder.pop(key)
    if isinstance(holder, list):
        if kind == "double":
            holder.insert(key, value)
    elif kind != "remove":
        holder[draw.choice(("", "x", str(key).upper(), f"{key} ", "\u00e9"))] = value


def _places(document: object) -> Iterator[tuple[dict | list, str | int]]:
    """Every value within the document, as its holder and its key."""
    if isinstance(document, dict):
        keys = list(document)
    else:
        keys = range(len(document)) if isinstance(document, list) else ()
    for key in keys:
        yield document, key
        yield from _places(document[key])


def _last_frame(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{os.path.basename(frame.filename)}:{frame.lineno}"
    return f"{type(error).__name__} at {place}: {str(error)[:100]}"
