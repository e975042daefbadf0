"""Ollama and every other server that speaks OpenAI's chat completions, over HTTP.

A server may be down, slow, cut the stream or answer with HTML: each is tried again, and what still
fails is an answer with a reason, never a crash of the loop.
"""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import requests
import urllib3
from pydantic import BaseModel, ValidationError
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema

from llmlab.sleep.repair.prompts import messages
from llmlab.sleep.repair.task import Answer, Task

TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
"""Status codes that another try may cure."""
MOST_BYTES = 2**20
"""Most bytes of one answer; a longer stream is cut."""
PIECE = 4096


@dataclass(frozen=True)
class RetryPolicy:
    """How long to wait for a server.

    Attributes:
        tries: requests for one answer.
        first_wait: seconds before the second one; each wait is twice the last.
        silence: seconds without a byte after which a server counts as stalled.
        seconds: of one whole answer.
    """

    tries: int = 3
    first_wait: float = 1.0
    silence: float = 30.0
    seconds: float = 120.0


class TransientError(Exception):
    """What went wrong with one try, in words."""


class PermanentError(Exception):
    """A failure that another try would not cure."""


class _Delta(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    delta: _Delta = _Delta()
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Chunk(BaseModel):
    choices: list[_Choice] = []
    usage: _Usage | None = None


@dataclass(frozen=True)
class Server:
    """A model behind HTTP.

    Attributes:
        url: up to and with `/v1`, such as http://localhost:11434/v1 for Ollama.
        model: its name there.
        key: sent as a bearer token, if there is one.
        at_once: concurrent requests.
    """

    url: str
    model: str
    key: str = ""
    temperature: float = 0.0
    seed: int = 0
    most_tokens: int = 512
    at_once: int = 2
    retry: RetryPolicy = RetryPolicy()

    @property
    def name(self) -> str:
        return self.model

    def answer(self, tasks: Sequence[Task], turn: int) -> list[Answer]:
        with ThreadPoolExecutor(max_workers=self.at_once) as pool:
            return list(pool.map(lambda task: self._answer(task, turn), tasks))

    def _answer(self, task: Task, turn: int) -> Answer:
        cause = ""
        for attempt in range(self.retry.tries):
            if attempt:
                time.sleep(self.retry.first_wait * 2 ** (attempt - 1))
            try:
                return self._ask(task, turn)
            except TransientError as error:
                cause = str(error)
            except PermanentError as error:
                return Answer("", failure=str(error))
        return Answer("", failure=f"{cause}, {self.retry.tries} times")

    def _ask(self, task: Task, turn: int) -> Answer:
        began = time.monotonic()
        try:
            with requests.post(
                f"{self.url.rstrip('/')}/chat/completions",
                json=self._request(task, turn),
                headers={"Authorization": f"Bearer {self.key}"} if self.key else {},
                timeout=self.retry.silence,
                stream=True,
                allow_redirects=False,
            ) as response:
                _check(response)
                text, usage = _read(response, began + self.retry.seconds)
        except (MissingSchema, InvalidSchema, InvalidURL) as error:
            raise PermanentError(f"{self.url} is not the address of a server ({error})") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise TransientError(_cause(error)) from None
        seconds = time.monotonic() - began
        return Answer(text, usage.prompt_tokens, usage.completion_tokens, seconds)

    def _request(self, task: Task, turn: int) -> dict[str, object]:
        return {
            "model": self.model,
            "messages": messages(task),
            "temperature": self.temperature,
            "seed": self.seed + turn,
            "max_tokens": self.most_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }


def _check(response: requests.Response) -> None:
    if response.status_code in TRANSIENT:
        raise TransientError(f"the server answered {response.status_code}")
    if response.status_code != 200:
        said = response.raw.read(300, decode_content=True).decode(errors="replace")
        raise PermanentError(
            f"the server answered {response.status_code}: {' '.join(said.split())}"
        )
    kind = response.headers.get("Content-Type", "")
    if "text/event-stream" not in kind:
        raise PermanentError(f"the server answered with {kind or 'no type'}, not with a stream")


def _read(response: requests.Response, deadline: float) -> tuple[str, _Usage]:
    """The whole text of a stream of server-sent events."""
    texts, usage, is_finished = [], _Usage(), False
    for data in _events(response, deadline):
        if data == b"[DONE]":
            is_finished = True
            break
        try:
            chunk = _Chunk.model_validate_json(data)
        except ValidationError:
            said = data[:200].decode(errors="replace")
            raise TransientError(
                f"the stream holds something other than a chunk ({said})"
            ) from None
        usage = chunk.usage or usage
        for choice in chunk.choices[:1]:
            texts.append(choice.delta.content or "")
            is_finished |= choice.finish_reason is not None
    if not is_finished:
        raise TransientError("the stream ended before the answer did")
    return "".join(texts), usage


def _events(response: requests.Response, deadline: float) -> Iterator[bytes]:
    """The text after `data:` on each line."""
    rest, n_bytes = b"", 0
    for piece in response.raw.stream(PIECE, decode_content=True):
        n_bytes += len(piece)
        if n_bytes > MOST_BYTES:
            raise PermanentError(f"the answer is longer than {MOST_BYTES:,} bytes")
        if time.monotonic() > deadline:
            raise TransientError("the answer took too long")
        *lines, rest = (rest + piece).split(b"\n")
        yield from (
            line.removeprefix(b"data:").strip() for line in lines if line.startswith(b"data:")
        )


def _cause(error: Exception) -> str:
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
        return "the server was silent for too long"
    if isinstance(error, urllib3.exceptions.ProtocolError):
        return "the stream was cut"
    if isinstance(error, requests.ConnectionError):
        return "the server does not answer"
    return f"the request failed ({type(error).__name__})"
