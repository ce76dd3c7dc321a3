"""Data files and weights with changed bytes: each is read or refused with its name, and nothing else is raised."""

from __future__ import annotations

import gzip
import io
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

from tests.reliability.hostile import datasets, made

Reader = Callable[[Path], object]
NUMBERS = (b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff", b"-1", b"9" * 30, b"NaN", b"Infinity", b"null", b"true")
SIGNS = (b"[" * 50, b'"', b"\\u0000", b"{", b"}", b",", b"\n")
MAGIC = (b"\x1f\x8b", b"PK\1\2", b"PK\5\6", b"PK\6\6", b"PK\6\7")
WORDS = (*NUMBERS, *SIGNS, *MAGIC)
FORMATS = {"png": "PNG", "jpg": "JPEG", "gif": "GIF", "bmp": "BMP", "tif": "TIFF", "webp": "WEBP"}


@dataclass(frozen=True)
class Subject:
    """A kind of file: its name, sound ones, and what reads it."""

    name: str
    seeds: Sequence[bytes]
    readers: Sequence[Reader]


@cache
def subjects() -> tuple[Subject, ...]:
    import numpy as np

    from dslc.below import Below
    from dslc.elaborate import headers
    from runtime.data.csvfile import read_csv
    from runtime.data.idx import read_idx
    from runtime.data.npz import read_npy, read_npz
    from runtime.train.checkpoint import load_checkpoint, map_checkpoint, read_tensors
    from runtime.train.contents import check_meta

    packed, single = io.BytesIO(), io.BytesIO()
    np.savez_compressed(packed, x=np.zeros((20, 2), np.float32), label=np.zeros(20, np.uint8))
    np.save(single, np.arange(6.0).reshape(2, 3))

    def shown(read: Callable[[Path, str], object]) -> Reader:
        return lambda path: read(path, path.name)

    def header(read: Callable[[Below], object]) -> Reader:
        return lambda path: read(Below(path.parent, PurePosixPath(path.name)))

    checkpoint = made.run_files()[made.CHECKPOINTS[0]]
    return (
        Subject("d.npz", (datasets.sound(), packed.getvalue()), (shown(read_npz), header(headers.npz_fields))),
        Subject("d.npy", (single.getvalue(),), (shown(read_npy),)),
        Subject("d.idx", (datasets.PIXELS, datasets.LABELS), (shown(read_idx), header(headers.idx_shape))),
        Subject("d.idx.gz", (gzip.compress(datasets.PIXELS), gzip.compress(b"") + gzip.compress(datasets.LABELS)),
                (shown(read_idx), header(headers.idx_shape))),
        Subject("d.csv", (made.CSV.encode(), b'\xef\xbb\xbf"a","b",y\r\n1,"2",0\r\n'), (shown(read_csv), header(headers.csv_columns))),
        Subject("w.safetensors", (made.safetensors(), checkpoint),
                (shown(read_tensors), shown(map_checkpoint), lambda path: check_meta(load_checkpoint(path, path.name).meta, path.name))),
        *pictures(),
    )  # fmt: skip


def pictures() -> tuple[Subject, ...]:
    """Binary PGM, and what Pillow reads, where it is installed."""
    from importlib.util import find_spec

    from runtime.data.pictures import decode
    from tests.reliability.hostile.pictures import of_pillow

    formats = FORMATS if find_spec("PIL") else {}
    read: Sequence[Reader] = (lambda path: decode(path, 3, path.parent),)
    return (
        Subject("x.pgm", (b"P5 2 2 255\n1234", b"P6 # x\n1 1\n255\n123"), read),
        *(Subject(f"x.{suffix}", (of_pillow(format)(),), read) for suffix, format in formats.items()),
    )


def changed(data: bytes, draw: random.Random) -> bytes:
    """A few bytes written over, put in, taken out, doubled, or flipped."""
    found = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 3, 8))):
        at, other, word = draw.randrange(len(found) + 1), draw.randrange(len(found) + 1), draw.choice(WORDS)
        change = draw.randrange(5)
        if change == 0:
            found[at : at + 1] = bytes([draw.randrange(256)])
        elif change == 1:
            found[at:at] = word
        elif change == 2:
            del found[at : at + draw.choice((1, 2, 8, 100))]
        elif change == 3:
            found[at : at + len(word)] = word
        else:
            found[at:at] = found[other : other + draw.choice((4, 16, 64))]
    return bytes(found)
