"""The header of a safetensors file: eight bytes of length, little-endian, then JSON; the tensors follow without holes.

    {"__metadata__": {…}, "LeNet.conv0.w": {"dtype": "F32", "shape": [6, 1, 5, 5], "data_offsets": [0, 600]}, …}

Offsets count from the end of the header. Format: https://github.com/huggingface/safetensors (2022).
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from dslc.magic import HEAD, kind_of

if TYPE_CHECKING:
    import numpy as np

WORDS = {  # in the order in which tensors stand in a file
    "uint64": "U64", "int64": "I64", "float64": "F64", "float32": "F32", "uint32": "U32", "int32": "I32",
    "float16": "F16", "uint16": "U16", "int16": "I16", "int8": "I8", "uint8": "U8", "bool": "BOOL",
}  # fmt: skip
TYPES = {word: name for name, word in WORDS.items()}
LONGEST = 2**24  # bytes of a header
MOST_AXES = 32
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
        kind = kind_of(data[:HEAD])
        raise ValueError(f"it is {kind}, no safetensors file" if kind else "it is no safetensors file, or it is truncated")
    try:
        header = json.loads(data[8 : 8 + length], object_pairs_hook=once)
        metadata = header.pop(METADATA, {})
        entries = dict(header.items())
        sound = all(isinstance(text, str) for text in metadata.values())
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        twice = f": {error}" if isinstance(error, Twice) else ""
        raise ValueError(f"it has no sound header of a safetensors file{twice}") from None
    if not sound:
        raise ValueError("its metadata is not text")
    found = {name: held(name, entry, 8 + length) for name, entry in entries.items()}
    at = 8 + length
    for item in sorted(found.values(), key=lambda item: (item.offset, item.nbytes)):
        if item.offset != at:
            raise ValueError("its tensors overlap or have holes between them")
        at += item.nbytes
    if at != len(data):
        raise ValueError(f"its tensors end at byte {at}, the file at {len(data)}")
    return found, metadata


class Twice(ValueError):
    """A name that stands twice: readers differ in which of the two they take."""


def once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. Raises Twice."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise Twice(f"`{name[:80]}` stands twice in it")
        found[name] = value
    return found


def held(name: str, entry: Mapping[str, Any], first: int) -> Held:
    """One entry of the header. Raises ValueError."""
    try:
        begin, end = entry["data_offsets"]
        word, shape = entry["dtype"], tuple(entry["shape"])
    except (TypeError, KeyError, ValueError):
        raise ValueError(f"`{name[:80]}` has no type, shape and offsets") from None
    if not isinstance(word, str) or word not in TYPES:
        raise ValueError(f"`{name[:80]}` is of the type {str(word)[:20]}, which is not read")
    if len(shape) > MOST_AXES or not all(type(size) is int and 0 <= size < 2**63 for size in (*shape, begin, end)):
        raise ValueError(f"`{name[:80]}` has sizes or offsets that cannot be")
    if end - begin != prod(shape) * itemsize(TYPES[word]):
        raise ValueError(f"`{name[:80]}` has {end - begin} bytes, its type and shape need {prod(shape) * itemsize(TYPES[word])}")
    return Held(TYPES[word], shape, first + begin, end - begin)


def itemsize(name: str) -> int:
    """Bytes of one element: the digits of `float32` are bits."""
    return int("".join(filter(str.isdigit, name)) or 8) // 8
