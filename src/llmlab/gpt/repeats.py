"""A text made to need one skill: random tokens, then pieces of them again, in any order."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import torch

from llmlab.gpt.training import Batch


@dataclass(frozen=True)
class Repeats:
    """Batches whose second half is cut from the first, piece by piece.

    In the first half no token occurs twice, and nothing can be predicted. The second half strings
    together pieces of `piece` tokens, each from a random place of the first: within a piece all
    can be predicted, by whoever finds where the token stood before and what came after it (Olsson
    et al. 2022, arXiv 2209.11895). How far back that is differs from piece to piece, so no fixed
    distance helps.

    Attributes:
        vocab_size: token ids, all equally likely; at least half the context.
        context: tokens of a sequence, an even number of pieces.
    """

    vocab_size: int
    context: int
    batch_size: int
    seed: int
    piece: int = 8

    def at(self, step: int) -> Batch:
        """Tokens and their successors of `step`: [batch_size, context] int64."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        half = self.context // 2
        order_BV = torch.rand(self.batch_size, self.vocab_size, generator=generator).argsort(dim=1)
        first_BH = order_BV[:, :half]
        n_pieces = half // self.piece + 1
        starts_BP = torch.randint(
            half - self.piece + 1, (self.batch_size, n_pieces), generator=generator
        )
        places_BPL = starts_BP[:, :, None] + torch.arange(self.piece)
        second_BH = first_BH.gather(1, places_BPL.flatten(1)[:, : half + 1])
        text_BT = torch.cat([first_BH, second_BH], dim=1)
        return text_BT[:, :-1].contiguous(), text_BT[:, 1:].contiguous()

    def stream(self, device: torch.device) -> Iterator[Batch]:
        """The batches of all steps, without end."""
        for step in count():
            inputs_BT, targets_BT = self.at(step)
            yield inputs_BT.to(device), targets_BT.to(device)
