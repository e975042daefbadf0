"""Requests to a run that several processes share."""

import torch

from llmlab.gpt.distributed import Workers
from llmlab.runs.control import Request


def agreed(workers: Workers, requests: list[Request]) -> list[Request]:
    """The requests to the first process since the last step, on every process.

    All must call it after the same step. Without requests it costs the mean of one number.
    """
    if workers.world == 1:
        return requests
    number = torch.tensor(float(workers.is_first and len(requests)), device=workers.device)
    return workers.each(requests)[0] if workers.mean(number).item() else []
