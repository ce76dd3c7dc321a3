"""The header of a safetensors file: eight bytes of length, little-endian, then JSON; the tensors follow without holes.

    {"__metadata__": {…}, "LeNet.conv0.w": {"dtype": "F32", "shape": [6, 1, 5, 5], "data_offsets": [0, 600]}, …}

Offsets count from the end of the header. Format: https://github.com/huggingface/safetensors (2022).
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

WORDS = {  # in the order in which tensors stand in a file
    "uint64": "U64", "int64": "I64", "float64": "F64", "float32": "F32", "uint32": "U32", "int32": "I32",
    "float16": "F16", "uint16": "U16", "int16": "I16", "int8": "I8", "uint8": "U8", "bool": "BOOL",
}  # fmt: skip
TYPES = {word: name for name, word in WORDS.items()}
LONGEST = 2**24  # bytes of a header
METADATA = "__metadata__"


@dataclass(frozen=True)
class Held:
    """A tensor of a safetensors file. dtype: NumPy's name of it; offset: from the start of the file; nbytes: its length there."""

    dtype: str
    shape: tuple[int, ...]
    offset: int
    nbytes: int


def ordered(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """By falling size of an element, as the library orders them, then by name: each begins at a multiple of its elements' size."""
    ranks = {name: rank for rank, name in enumerate(WORDS)}
    return dict(sorted(arrays.items(), key=lambda item: (ranks[item[1].dtype.name], item[0])))


def packed_header(
    arrays: Mapping[str, np.ndarray], align: int, metadata: Mapping[str, str] | None = None
) -> tuple[bytes, dict[str, int]]:  # fmt: skip
    """The header for these tensors in their order, filled with blanks to a multiple of `align`, and where each begins in the file."""
    at, begins = 0, {}
    entries: dict[str, Any] = {METADATA: dict(metadata)} if metadata else {}
    for name, array in arrays.items():
        entries[name] = {"dtype": WORDS[array.dtype.name], "shape": list(array.shape), "data_offsets": [at, at + array.nbytes]}
        begins[name] = at
        at += array.nbytes
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-(8 + len(text)) % align)
    return len(text).to_bytes(8, "little") + text, {name: 8 + len(text) + begin for name, begin in begins.items()}


def read_header(data: bytes | mmap.mmap) -> tuple[dict[str, Held], dict[str, str]]:
    """The tensors of a file by name, and its metadata. Raises ValueError for what is no sound safetensors file.

    Every byte behind the header belongs to one tensor.
    """
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or not 2 <= length <= min(LONGEST, len(data) - 8):
        raise ValueError("it is no safetensors file, or it is truncated")
    try:
        header = json.loads(data[8 : 8 + length])
        metadata = header.pop(METADATA, {})
        found = {name: held(entry, 8 + length) for name, entry in header.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ValueError("it has no sound header of a safetensors file") from None
    at = 8 + length
    for item in sorted(found.values(), key=lambda item: (item.offset, item.nbytes)):
        if item.offset != at:
            raise ValueError("its tensors overlap or have holes between them")
        at += item.nbytes
    if at != len(data):
        raise ValueError(f"its tensors end at byte {at}, the file at {len(data)}")
    return found, metadata if isinstance(metadata, dict) else {}


def held(entry: Mapping[str, Any], first: int) -> Held:
    """One entry of the header. Raises ValueError, TypeError or KeyError."""
    begin, end = entry["data_offsets"]
    name, shape = TYPES[entry["dtype"]], tuple(entry["shape"])
    if not all(type(size) is int and size >= 0 for size in (*shape, begin, end)) or end - begin != prod(shape) * itemsize(name):
        raise ValueError("sizes and offsets do not fit")
    return Held(name, shape, first + begin, end - begin)


def itemsize(name: str) -> int:
    """Bytes of one element: the digits of `float32` are bits."""
    return int("".join(filter(str.isdigit, name)) or 8) // 8
