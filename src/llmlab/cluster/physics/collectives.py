"""Time of collectives by the ring algorithm, inside a fast domain and between domains.

Thakur, Rabenseifner and Gropp 2005, "Optimization of Collective Communication Operations in MPICH",
sections 4.1 and 4.5: a ring all-gather of S bytes over n ranks moves S (n - 1) / n bytes through
each rank, an all-reduce twice that.
"""

import math
from dataclasses import dataclass

from llmlab.cluster.physics.coefficients import Coefficients
from llmlab.cluster.physics.hardware import Accelerator

LINK_LATENCY = 3e-6
NETWORK_LATENCY = 1e-5
"""Seconds per hop: typical values, which matter only for small messages."""


@dataclass(frozen=True)
class Group:
    """A group of `size` communicating ranks, each `stride` ranks after the previous one."""

    size: int
    stride: int

    def inside(self, domain: int) -> bool:
        """Whether fast links join all members."""
        return self.size * self.stride <= domain


def link_rate(gpu: Accelerator, c: Coefficients) -> float:
    """Bytes/s that one rank achieves over the fast links."""
    return c.link * gpu.link


def network_rate(gpu: Accelerator, c: Coefficients) -> float:
    """Bytes/s that one rank achieves over its network adapter."""
    return c.network(gpu.family) * gpu.network


def bandwidth(group: Group, gpu: Accelerator, c: Coefficients) -> float:
    """Bandwidth of a ring through the group, bytes/s.

    Between domains, the ring uses the network adapters of all its members in a domain.
    """
    if group.inside(gpu.domain):
        return link_rate(gpu, c)
    members = max(gpu.domain // group.stride, 1)
    return min(network_rate(gpu, c) * members, link_rate(gpu, c))


def all_gather(size: float, group: Group, gpu: Accelerator, c: Coefficients) -> float:
    """Seconds to gather `size` bytes in total on each rank; a reduce-scatter takes as long."""
    if group.size == 1:
        return 0.0
    share = (group.size - 1) / group.size
    return share * size / bandwidth(group, gpu, c) + _latency(group, gpu)


def all_reduce(size: float, group: Group, gpu: Accelerator, c: Coefficients) -> float:
    """Seconds to sum `size` bytes over all ranks."""
    return 2 * all_gather(size, group, gpu, c)


def dispatch(size: float, experts: int, group: Group, gpu: Accelerator, c: Coefficients) -> float:
    """Seconds to send `size` bytes of tokens, each to `experts` experts spread evenly over the
    ranks, or back.

    A token goes once to each rank of its own domain that needs it, and once to each other domain,
    where fast links spread it further (DeepSeek-V3, arXiv:2412.19437, section 3.2.2).
    """
    if group.size == 1:
        return 0.0
    inside = min(max(gpu.domain // group.stride, 1), group.size)
    near = (inside - 1) * _visited(1 / group.size, experts)
    far = (group.size / inside - 1) * _visited(inside / group.size, experts)
    seconds_per_byte = near / link_rate(gpu, c) + far / network_rate(gpu, c)
    return size * seconds_per_byte + _latency(group, gpu)


def _visited(share: float, experts: int) -> float:
    """Probability that one of a token's experts lies in a given share of the ranks."""
    return 1 - (1 - share) ** experts


def send(size: float, stride: int, gpu: Accelerator, c: Coefficients) -> float:
    """Seconds to send `size` bytes to the rank `stride` positions away."""
    pair = Group(2, stride)
    rate = link_rate(gpu, c) if pair.inside(gpu.domain) else network_rate(gpu, c)
    return size / rate + _latency(pair, gpu)


def exposed(communication: float, compute: float, c: Coefficients) -> float:
    """Exposed part of `communication` seconds that overlap with `compute` seconds.

    All of it without compute; a vanishing share with much compute.
    """
    if communication == 0:
        return 0.0
    return communication**2 / (communication + compute / c.contention)


def _latency(group: Group, gpu: Accelerator) -> float:
    hop = LINK_LATENCY if group.inside(gpu.domain) else NETWORK_LATENCY
    return hop * math.log2(group.size)
