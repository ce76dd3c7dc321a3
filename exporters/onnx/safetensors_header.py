"""The header of a safetensors file: eight bytes of length, little-endian, then JSON; the tensors follow without holes.

    {"__metadata__": {…}, "LeNet.conv0.w": {"dtype": "F32", "shape": [6, 1, 5, 5], "data_offsets": [0, 600]}, …}

Offsets count from the end of the header. Format: https://github.com/huggingface/safetensors (2022).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

WORDS = {
    "float64": "F64", "float32": "F32", "float16": "F16", "int64": "I64", "int32": "I32", "int16": "I16", "int8": "I8",
    "uint64": "U64", "uint32": "U32", "uint16": "U16", "uint8": "U8", "bool": "BOOL",
}  # fmt: skip
TYPES = {word: np.dtype(name) for name, word in WORDS.items()}
LONGEST = 2**24  # bytes of a header
METADATA = "__metadata__"


@dataclass(frozen=True)
class Held:
    """A tensor of a safetensors file. offset: from the start of the file."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int

    @property
    def nbytes(self) -> int:
        return prod(self.shape) * self.dtype.itemsize


def ordered(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """By falling size of an element, then by name: each tensor begins at a multiple of its elements' size."""
    return dict(sorted(arrays.items(), key=lambda item: (-item[1].itemsize, item[0])))


def packed_header(arrays: Mapping[str, np.ndarray], align: int) -> tuple[bytes, dict[str, int]]:
    """The header for these tensors in their order, filled with blanks to a multiple of `align`, and where each begins in the file."""
    at, entries = 0, {}
    for name, array in arrays.items():
        entries[name] = {"dtype": WORDS[array.dtype.name], "shape": list(array.shape), "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-(8 + len(text)) % align)
    first = 8 + len(text)
    return len(text).to_bytes(8, "little") + text, {name: first + entry["data_offsets"][0] for name, entry in entries.items()}  # type: ignore[index]


def read_header(path: Path) -> tuple[dict[str, Held], dict[str, str]]:
    """The tensors of a file by name, and its metadata. Raises OSError, and ValueError for what is no sound safetensors file."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= LONGEST:
            raise ValueError("it is no safetensors file")
        text = file.read(length)
        size = file.seek(0, 2)
    try:
        header = json.loads(text)
        metadata = header.pop(METADATA, {})
        found = {name: held(entry, 8 + length) for name, entry in header.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ValueError("it is no sound safetensors file") from None
    if any(item.offset + item.nbytes > size for item in found.values()):
        raise ValueError("it is cut off")
    return found, metadata if isinstance(metadata, dict) else {}


def held(entry: Mapping[str, Any], first: int) -> Held:
    """One entry of the header. Raises ValueError, TypeError or KeyError."""
    begin, end = entry["data_offsets"]
    found = Held(TYPES[entry["dtype"]], tuple(entry["shape"]), first + begin)
    if not all(type(size) is int and size >= 0 for size in (*found.shape, begin, end)) or end - begin != found.nbytes:
        raise ValueError("sizes and offsets do not fit")
    return found
