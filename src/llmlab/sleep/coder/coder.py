"""The small coder: a model with its vocabulary, in a folder, and as a client of the loop."""

import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from pydantic import BaseModel, ValidationError, field_validator, model_validator
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor

from llmlab.gpt.model import GPTConfig
from llmlab.gpt.saved.checkpoints import Shape
from llmlab.gpt.training import best_device
from llmlab.method.documents import in_one_line
from llmlab.method.errors import LabError
from llmlab.sleep.coder.guide import Guide
from llmlab.sleep.coder.rotary import RotaryGPT
from llmlab.sleep.coder.tokens import SPECIAL, CodeTokens
from llmlab.sleep.koans.koan import Language
from llmlab.sleep.repair.task import Answer, Task

WEIGHTS, ABOUT = "coder.safetensors", "coder.json"
BATCH = 256
LONGEST_ANSWER: dict[Language, int] = {"python": 40, "rust": 64}
"""Tokens, with the end; the longest repairs of their grammars have 17 and 51."""
MAKE_CODER = "`llmlab run sleep_base --scale laptop` (or --scale smoke, which can do little)"
AGAIN = 0.5
"""Temperature of later turns, at least: the likeliest answer to the same question failed before."""


@dataclass(frozen=True)
class Coder:
    """A model that repairs programs of one language.

    Its vocabulary is that of the grammar, without imports, files and processes: what it cannot
    say, it cannot do. Its answers are edits of the program, whatever the model would rather say.

    Attributes:
        temperature: of the first turn; 0 takes the most likely token.
        seed: of the draws at a temperature above 0.
    """

    model: RotaryGPT
    tokens: CodeTokens
    language: Language
    name: str = "micro"
    temperature: float = 0.0
    seed: int = 0

    def answer(self, tasks: Sequence[Task], turn: int) -> list[Answer]:
        """Answers in batches of similar length; those that do not fit the context are empty."""
        asked = replace(self, temperature=max(self.temperature, AGAIN)) if turn else self
        prompts = [self.tokens.prompt(task) for task in tasks]
        room = self.model.config.context - LONGEST_ANSWER[self.language]
        fitting = sorted(
            (at for at, ids in enumerate(prompts) if len(ids) <= room),
            key=lambda at: len(prompts[at]),
        )
        random = torch.Generator().manual_seed(self.seed + 7919 * turn)
        answers = [Answer("", len(ids), failure="the program is too long") for ids in prompts]
        for start in range(0, len(fitting), BATCH):
            chosen = fitting[start : start + BATCH]
            began = time.perf_counter()
            guides = [Guide.to(tasks[at].code, self.tokens) for at in chosen]
            drawn = asked._complete([prompts[at] for at in chosen], guides, random)
            seconds = (time.perf_counter() - began) / len(chosen)
            for at, ids in zip(chosen, drawn, strict=True):
                text = self.tokens.text(ids, tasks[at].code)
                answers[at] = Answer(text, len(prompts[at]), len(ids), seconds)
        return answers

    @torch.inference_mode()
    def _complete(
        self, prompts: Sequence[list[int]], guides: Sequence[Guide], random: torch.Generator
    ) -> list[list[int]]:
        """Continue prompts together, padded on the left, until each has said `END`."""
        width, longest = max(map(len, prompts)), LONGEST_ANSWER[self.language]
        device = self.model.head.weight.device
        tokens_BT = torch.tensor(
            [[self.tokens.pad] * (width - len(ids)) + ids for ids in prompts], device=device
        )
        self.model.eval()
        cache = self.model.new_cache(len(prompts), width + longest)
        for memory in cache:
            memory.is_pad_BS[:, :width] = tokens_BT == self.tokens.pad
        drawn_NL = torch.full((len(prompts), longest), self.tokens.end, device=device)
        row_B = torch.arange(len(prompts), device=device)
        for at in range(longest):
            newest_BD = self.model.hidden(tokens_BT, cache)[:, -1]
            is_allowed_BV = torch.stack(
                [guides[row].allowed(drawn_NL[row, :at].tolist()) for row in row_B.tolist()]
            )
            logits_BV = self.model.head(newest_BD).masked_fill(~is_allowed_BV.to(device), -math.inf)
            drawn_NL[row_B, at] = self._drawn(logits_BV, random)
            goes_on_B = (drawn_NL[row_B, : at + 1] != self.tokens.end).all(1)
            if not goes_on_B.any():
                break
            if 2 * goes_on_B.sum() <= len(row_B):  # rarely enough that copying costs little
                row_B = row_B[goes_on_B]
                cache = [memory.rows(goes_on_B) for memory in cache]
            tokens_BT = drawn_NL[row_B, at, None]
        rows = drawn_NL.tolist()
        return [
            row[: row.index(self.tokens.end)] if self.tokens.end in row else row for row in rows
        ]

    def _drawn(self, logits_BV: Tensor, random: torch.Generator) -> Tensor:
        """Greedy, or by the Gumbel-max trick (1411.0030, section 2.1)."""
        if self.temperature == 0:
            return logits_BV.argmax(dim=-1)
        uniform_BV = torch.rand(logits_BV.shape, generator=random).to(logits_BV.device)
        return (logits_BV / self.temperature - (-uniform_BV.log()).log()).argmax(dim=-1)


def new_coder(language: Language, tokens: CodeTokens, shape: GPTConfig, seed: int) -> Coder:
    """An untrained coder on the best device; `seed` fixes its weights."""
    torch.manual_seed(seed)
    return Coder(RotaryGPT(shape).to(best_device()), tokens, language)


def save_coder(coder: Coder, folder: Path) -> None:
    """Write weights, shape and vocabulary into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.contiguous() for name, tensor in coder.model.state_dict().items()}
    del weights["head.weight"]  # the same tensor as token_embedding.weight
    save_file(weights, folder / WEIGHTS)
    about = {
        "language": coder.language,
        "shape": asdict(coder.model.config),
        "tokens": coder.tokens.names,
    }
    (folder / ABOUT).write_text(json.dumps(about, ensure_ascii=False) + "\n", encoding="utf-8")


def load_coder(folder: Path) -> Coder:
    """The coder that `save_coder` left in `folder`, on the best device.

    Raises:
        LabError: there is none, or it is damaged.
    """
    about = _about(folder / ABOUT)
    try:
        weights = load((folder / WEIGHTS).read_bytes())
        embedding_VD = weights["token_embedding.weight"]
        last = f"blocks.{about.shape.n_layers - 1}."
        is_as_large = [*embedding_VD.shape] == [about.shape.vocab_size, about.shape.d_model]
        if not is_as_large or not any(name.startswith(last) for name in weights):
            raise ValueError("its weights are of another shape")  # before a model is made of it
        model = RotaryGPT(about.shape)
        model.load_state_dict({**weights, "head.weight": embedding_VD})
    except (OSError, SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise _no_coder(folder, error) from error
    return Coder(model.to(best_device()), CodeTokens(about.tokens), about.language)


class _About(BaseModel):
    """`coder.json`."""

    language: Language
    shape: GPTConfig
    tokens: tuple[str, ...]

    @field_validator("shape", mode="before")
    @classmethod
    def _possible(cls, shape: object) -> GPTConfig:
        return GPTConfig(**Shape.model_validate(shape).model_dump())

    @model_validator(mode="after")
    def _whole(self) -> "_About":
        if not set(SPECIAL) <= set(self.tokens):
            raise ValueError("its tokens lack those that every coder has")
        if len(set(self.tokens)) != len(self.tokens) or len(self.tokens) != self.shape.vocab_size:
            raise ValueError("it has another number of tokens than its shape says")
        return self


def _about(path: Path) -> _About:
    try:
        return _About.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise _no_coder(path.parent, error) from error


def _no_coder(folder: Path, error: Exception) -> LabError:
    return LabError(f"{folder} holds no coder ({in_one_line(error)}): make one with {MAKE_CODER}.")
