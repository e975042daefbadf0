"""Records of a TFRecord file, each with two checksums: damaged parts are reported and skipped.

A record is its length (8 bytes, little-endian), a checksum of the length, the data, their checksum
(https://www.tensorflow.org/tutorials/load_data/tfrecord). A checksum is CRC-32C, rotated and
shifted by a constant.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

HEADER = struct.Struct("<QI")
CHECKSUM = struct.Struct("<I")
MASK = 0xA282EAD8
AT_ONCE = 1 << 20
"""Positions that are tried at once for the start of a record."""


@dataclass(frozen=True)
class Lost:
    """Bytes from `start` to `stop` that belong to no whole record."""

    start: int
    stop: int


def records(content: bytes) -> Iterator[bytes | Lost]:
    """The data of each record, in order, and what lies damaged between them or is cut at the end.

    Args:
        content: bytes or a memory map.
    """
    place = 0
    while place < len(content):
        data = _data(content, place)
        if data is None:
            after = _next_start(content, place + 1)
            yield Lost(place, after)
            place = after
        else:
            yield data
            place += HEADER.size + len(data) + CHECKSUM.size


def masked_crc32c(data: bytes) -> int:
    """The checksum of a record."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE_LIST[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + MASK) & 0xFFFFFFFF


def _data(content: bytes, place: int) -> bytes | None:
    """The data of the record at `place`; None if it is not whole."""
    header = content[place : place + HEADER.size]
    if len(header) < HEADER.size:
        return None
    length, checksum = HEADER.unpack(header)
    start, stop = place + HEADER.size, place + HEADER.size + length
    if stop + CHECKSUM.size > len(content) or masked_crc32c(header[:8]) != checksum:
        return None
    data = content[start:stop]
    (checksum,) = CHECKSUM.unpack(content[stop : stop + CHECKSUM.size])
    return data if masked_crc32c(data) == checksum else None


def _next_start(content: bytes, place: int) -> int:
    """The first place from `place` on where a header's checksum is right; the end if none is."""
    while place + HEADER.size <= len(content):
        part = np.frombuffer(content[place : place + AT_ONCE + HEADER.size - 1], np.uint8)
        found = np.flatnonzero(_starts(part))
        if found.size:
            return place + int(found[0])
        place += AT_ONCE
    return len(content)


def _starts(part: np.ndarray) -> np.ndarray:
    """For each place in the bytes whether eight bytes and their checksum stand there."""
    n = len(part) - HEADER.size + 1
    crc = np.full(n, 0xFFFFFFFF, np.uint32)
    for offset in range(8):
        crc = _TABLE[(crc ^ part[offset : offset + n]) & 0xFF] ^ (crc >> 8)
    crc = ~crc
    masked = ((crc >> 15) | (crc << 17)) + np.uint32(MASK)
    there = sum(part[8 + k : 8 + k + n].astype(np.uint32) << (8 * k) for k in range(4))
    return masked == there


def _table() -> np.ndarray:
    """CRC-32C of each byte, for the reversed polynomial 0x82F63B78."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(0x82F63B78), table >> 1)
    return table


_TABLE = _table()
_TABLE_LIST = _TABLE.tolist()
