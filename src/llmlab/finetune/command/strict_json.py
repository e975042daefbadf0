"""The JSON of one line of a foreign file: strict, and with the reason if it is bad."""

import codecs
import json
from collections import Counter

LONGEST_LINE = 2**22
"""Most bytes of a line that is read: some million tokens."""
COMPRESSED = (b"\x1f\x8b", b"PK\x03\x04", b"\x28\xb5\x2f\xfd")
"""How files of gzip, zip and zstd begin."""
MOST_DIGITS = 4000
"""Most digits of an integer; the time to read one grows with their square."""
LONGEST_KEY = 40
"""Most characters of a key that a message repeats."""


def json_object(line: bytes) -> dict[str, object]:
    """The JSON object of a line; ValueError with the reason if it is bad."""
    if len(line) > LONGEST_LINE:
        raise ValueError(f"it is longer than {LONGEST_LINE:,} bytes")
    if line.startswith(COMPRESSED):
        raise ValueError("it is compressed: unpack the file")
    if line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ValueError("it is UTF-16: save the file as UTF-8")
    try:
        value = load_json(line.decode("utf-8-sig").strip())
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except UnicodeEncodeError:
        raise ValueError("it holds half a character, a lone surrogate") from None
    if isinstance(value, list):
        raise ValueError("it is an array: write each of its objects on a line of its own")
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    return _without_nulls(value)


def load_json(text: str) -> object:
    """The value that the JSON in `text` has; ValueError with the reason if it is bad."""
    try:
        return json.loads(
            text, parse_constant=_no_number, parse_int=_integer, object_pairs_hook=_object
        )
    except json.JSONDecodeError as error:
        if text.strip() in ("[", "{"):
            raise ValueError(
                "it begins an array or object of several lines: write each on one"
            ) from None
        if text.rstrip().endswith("},"):
            raise ValueError("a comma follows the object: remove it") from None
        raise ValueError(f"it is not JSON: {error.msg} at column {error.colno}") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def shown_key(key: str) -> str:
    return repr(key if len(key) <= LONGEST_KEY else f"{key[:LONGEST_KEY]}…")


def _without_nulls(value: dict[str, object]) -> dict[str, object]:
    """The object without keys that hold null, its messages without them, too."""
    kept = {key: item for key, item in value.items() if item is not None}
    if isinstance(messages := kept.get("messages"), list):
        kept["messages"] = [_without_nulls(m) if isinstance(m, dict) else m for m in messages]
    return kept


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) < len(pairs):
        repeated = next(key for key, n in Counter(key for key, _ in pairs).items() if n > 1)
        raise ValueError(f"it has the key {shown_key(repeated)} twice")
    return value


def _integer(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError(f"it holds a number of {len(text):,} digits")
    return int(text)


def _no_number(name: str) -> None:
    raise ValueError(f"it holds {name}, which is not JSON")
