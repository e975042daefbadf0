"""Fetch daily bars over HTTP: with retries and resumption, checked, and written atomically.

The folder's `downloads.json` records address, size and SHA-256 of each file, so that a second call
fetches only what is missing, and detects files that changed.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import requests
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema

from llmlab.market.bars.csv_file import read_csv
from llmlab.method.documents import parse_json
from llmlab.method.errors import LabError
from llmlab.method.files import read_text, write_file

INDEX = "downloads.json"
PIECE = 1 << 16
TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
"""Status codes after which another try may succeed."""


@dataclass(frozen=True)
class RetryPolicy:
    """The retry policy of a download.

    Attributes:
        tries: most requests for one file.
        first_wait: seconds before the second request; each wait is twice the last.
        timeout: seconds without a byte after which a server counts as stalled.
        most_wait: longest wait in seconds, even if a server's Retry-After asks for more.
    """

    tries: int = 5
    first_wait: float = 1.0
    timeout: float = 20.0
    most_wait: float = 60.0


@dataclass(frozen=True)
class Download:
    """A file that was fetched."""

    url: str
    bytes: int
    sha256: str


class TransientError(Exception):
    """The cause of a failed try, in words; `wait` is the server's Retry-After in seconds."""

    def __init__(self, cause: str, wait: float = 0.0) -> None:
        super().__init__(cause)
        self.wait = wait


def fetch_all(
    template: str,
    symbols: list[str],
    folder: Path,
    *,
    retry: RetryPolicy = RetryPolicy(),
    sha256: Mapping[str, str] | None = None,
    tell: Callable[[str], None] = lambda event: None,
) -> dict[str, Download]:
    """Fetch the bars of each symbol into SYMBOL.csv; keep existing files.

    Args:
        template: an address that contains {symbol}.
        sha256: expected SHA-256 of the files of some symbols.
        tell: called with each event, in words.

    Raises:
        LabError: the template has no {symbol}, a file cannot be fetched, or it does not contain
            bars. Files fetched so far stay, and the same call continues from there.
    """
    if "{symbol}" not in template:
        raise LabError(
            f"the address {template} does not contain {{symbol}}; put it where the name goes."
        )
    known = _read_index(folder)
    for symbol in symbols:
        path, wanted = folder / f"{symbol}.csv", (sha256 or {}).get(symbol)
        if symbol in known and _is_whole(path, known[symbol], wanted):
            tell(f"{symbol}: already here")
            continue
        url = template.replace("{symbol}", symbol)
        known[symbol] = fetch(url, path, retry=retry, sha256=wanted, tell=tell)
        write_file(folder / INDEX, json.dumps({s: asdict(d) for s, d in known.items()}, indent=2))
        tell(f"{symbol}: {known[symbol].bytes} bytes")
    return {symbol: known[symbol] for symbol in symbols}


def fetch(
    url: str,
    path: Path,
    *,
    retry: RetryPolicy = RetryPolicy(),
    sha256: str | None = None,
    tell: Callable[[str], None] = lambda event: None,
) -> Download:
    """Fetch one file of bars.

    Partial downloads are kept beside `path`. After a broken connection, or in the next call, the
    download continues from there if the server allows it and still has the same file.

    Raises:
        LabError: `url` is no address, every try failed, the server refused, the SHA-256 differs, or
            the file cannot be read as bars; `path` then stays unchanged.
    """
    part = path.with_name(f".{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    wait = retry.first_wait
    for number in range(1, retry.tries + 1):
        try:
            _one_try(url, part, retry.timeout)
            break
        except TransientError as error:
            if number == retry.tries:
                raise LabError(
                    f"{url} could not be fetched in {number} tries, the last time because {error}; "
                    "repeat the command later to continue from there."
                ) from error
            pause = min(max(wait, error.wait), retry.most_wait)
            tell(f"{url}: {error}; trying again in {pause:.3g} s")
            time.sleep(pause)
            wait *= 2
    return _accepted(url, part, path, sha256)


def _accepted(url: str, part: Path, path: Path, sha256: str | None) -> Download:
    """Move the download into place, after checking it."""
    found = _sha256(part)
    if sha256 is not None and found != sha256:
        _forget(part)
        raise LabError(
            f"{url} gave a changed file (SHA-256 {found[:12]}…, expected {sha256[:12]}…); check "
            "where it comes from."
        )
    shown = part.with_name(path.name + ".new")
    part.rename(shown)
    try:
        read_csv(shown, jumps="keep")
    except LabError as error:
        shown.unlink()
        _forget(part)
        raise LabError(
            f"{url} did not give bars: {str(error).replace(str(shown), path.name)}"
        ) from error
    size = shown.stat().st_size
    shown.replace(path)
    _forget(part)
    return Download(url, size, found)


def _one_try(url: str, part: Path, timeout: float) -> None:
    """Fetch what is missing in `part`.

    Raises:
        TransientError: another try may help.
        LabError: none would: the address is none, or the server refuses.
    """
    tag = _tag_file(part)
    have = part.stat().st_size if part.is_file() and tag.is_file() else 0
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": tag.read_text(encoding="utf-8")}
    try:
        with requests.get(url, headers=headers, stream=True, timeout=timeout) as answer:
            _check_status(url, answer)
            resumed = answer.status_code == 206
            if resumed and not _continues(answer, have):
                _forget(part)
                raise TransientError("the server continued from another place than requested")
            _remember_tag(part, answer)
            _append(answer, part, have if resumed else 0)
    except (MissingSchema, InvalidSchema, InvalidURL) as error:
        raise LabError(f"{url} is not an address; write it as https://host/path.") from error
    except requests.Timeout as error:
        raise TransientError(f"the server sent nothing for {timeout:g} s") from error
    except requests.RequestException as error:
        raise TransientError(f"the connection broke ({type(error).__name__})") from error


def _check_status(url: str, answer: requests.Response) -> None:
    if answer.status_code in TRANSIENT:
        asked = answer.headers.get("Retry-After", "")
        wait = float(asked) if asked.isdigit() else 0.0
        raise TransientError(f"the server answered {answer.status_code}", wait)
    if answer.status_code == 416:  # the partial file is too long, so it belongs to another file
        raise TransientError("the server has a shorter file than the one begun")
    if answer.status_code not in (200, 206):
        raise LabError(
            f"{url} cannot be fetched: the server answered {answer.status_code} "
            f"({answer.reason}); check the address."
        )


def _continues(answer: requests.Response, have: int) -> bool:
    return answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")


def _append(answer: requests.Response, part: Path, have: int) -> None:
    """Write the bytes of an answer after the first `have` ones, and check their number."""
    answer.raw.enforce_content_length = False  # keep the bytes of a broken download
    with part.open("r+b" if have else "wb") as file:
        file.seek(have)
        for piece in answer.iter_content(PIECE):
            file.write(piece)
        file.truncate()
        size = file.tell()
    announced = answer.headers.get("Content-Length")
    if announced is not None and size - have != int(announced):
        raise TransientError(f"{size - have} of {announced} bytes came")


def _remember_tag(part: Path, answer: requests.Response) -> None:
    """Store the ETag, which shows whether the server's file is still the same, if it is strong."""
    tag = answer.headers.get("ETag", "")
    if tag and not tag.startswith("W/"):
        write_file(_tag_file(part), tag)
    else:
        _tag_file(part).unlink(missing_ok=True)


def _tag_file(part: Path) -> Path:
    return part.with_name(part.name + ".etag")


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _tag_file(part).unlink(missing_ok=True)


def _is_whole(path: Path, known: Download, wanted: str | None) -> bool:
    return path.is_file() and _sha256(path) == known.sha256 and wanted in (None, known.sha256)


def _read_index(folder: Path) -> dict[str, Download]:
    path = folder / INDEX
    if not path.is_file():
        return {}
    try:
        found = parse_json(read_text(path), path)
        return {symbol: Download(**entry) for symbol, entry in found.items()}
    except (LabError, TypeError, AttributeError) as error:
        raise LabError(f"{path} is damaged; remove it to fetch its files again.") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
