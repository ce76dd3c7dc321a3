"""Gzip streams unpacked a bounded piece at a time."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

MAGIC = b"\x1f\x8b"
FIRST, MOST = 2**9, 2**20  # packed bytes that are taken of a member at once: few at first, as there may be many small members
PIECE = 2**22  # unpacked bytes


def unpacked(data: bytes) -> Iterator[bytes]:
    """What stands in all members. Raises zlib.error where the stream is broken, EOFError where it ends too early."""
    at = 0
    while at < len(data):
        member, size = zlib.decompressobj(wbits=31), FIRST
        while not member.eof:
            fresh = b"" if member.unconsumed_tail else data[at : at + size]
            at, size = at + len(fresh), min(2 * size, MOST)
            piece = member.decompress(member.unconsumed_tail or fresh, PIECE)
            if not (piece or fresh or member.eof or member.unconsumed_tail):
                raise EOFError
            yield piece
        at -= len(member.unused_data)
