"""Any causal model of `transformers`, by its id on the hub or its folder."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from llmlab.finetune.model.hub import HUB, open_hub_model, require_spelling
from llmlab.finetune.model.pretrained import Pretrained
from llmlab.gpt.training import best_device
from llmlab.sleep.repair.prompts import messages
from llmlab.sleep.repair.task import Answer, Task


@dataclass(frozen=True)
class HubClient:
    """A model on this machine, one task at a time.

    Attributes:
        temperature: 0 takes the most likely token.
    """

    base: Pretrained
    temperature: float = 0.0
    seed: int = 0
    most_tokens: int = 256

    @property
    def name(self) -> str:
        return self.base.name

    def answer(self, tasks: Sequence[Task], turn: int) -> list[Answer]:
        return [self._answer(task, self.seed + turn) for task in tasks]

    @torch.inference_mode()
    def _answer(self, task: Task, seed: int) -> Answer:
        began = time.monotonic()
        tokenizer, inner = self.base.tokenizer.tokenizer, self.base.model.inner
        ids = tokenizer(self._text(task), add_special_tokens=False).input_ids
        room = self.base.context - self.most_tokens
        if len(ids) > room:
            return Answer("", len(ids), failure=f"the question has {len(ids)} tokens, not {room}")
        torch.manual_seed(seed)
        drawing = {"do_sample": True, "temperature": self.temperature}
        whole_BT = inner.generate(
            torch.tensor([ids], device=self.base.device),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long, device=self.base.device),
            max_new_tokens=self.most_tokens,
            pad_token_id=tokenizer.eos_token_id,
            **(drawing if self.temperature else {"do_sample": False}),
        )
        new = whole_BT[0, len(ids) :].tolist()
        text = tokenizer.decode(new, skip_special_tokens=True)
        return Answer(text, len(ids), len(new), time.monotonic() - began)

    def _text(self, task: Task) -> str:
        """The chat as this model has it, or plain where it has no form for chats."""
        chat = messages(task)
        tokenizer = self.base.tokenizer.tokenizer
        if tokenizer.chat_template:
            return tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        return "\n\n".join(message["content"] for message in chat) + "\n\n"


def open_hub_client(name: str, temperature: float = 0.0, seed: int = 0) -> HubClient:
    """Open `hf:<id or folder>`; errors as `open_pretrained` and `require_spelling`."""
    base = open_hub_model(HUB + name.removeprefix(HUB), None, best_device())
    require_spelling(base)
    return HubClient(base, temperature, seed)
