"""Weights that stand in a file beside a model, read as if somebody had made the model to do harm.

Keys: only location, offset, length, checksum. The location is relative, inside the model's folder, and no part of it is a link; the file
is a regular one with one name. Lengths are those of the types, and nothing is allocated before all of this holds.
"""

from __future__ import annotations

import hashlib
import mmap
import os
from dataclasses import dataclass
from math import prod
from pathlib import Path, PurePosixPath

import numpy as np
import onnx
from onnx import TensorProto, helper

from dslc.below import Below, open_file
from dslc.diagnostics import DataError
from dslc.files import reason
from dslc.pieces import mapped, spans
from exporters.onnx.errors import BadExternalData

KEYS = ("location", "offset", "length", "checksum")
PLAIN = frozenset(
    [
        TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.INT8, TensorProto.INT16, TensorProto.INT32,
        TensorProto.INT64, TensorProto.UINT8, TensorProto.UINT16, TensorProto.UINT32, TensorProto.UINT64, TensorProto.BOOL,
    ]
)  # fmt: skip
DIGITS = 18
LONGEST = 4096  # characters of a location


@dataclass(frozen=True)
class Reference:
    """Where the bytes of one tensor stand. checksum: SHA-1 of the whole file in hexadecimal digits, "" where the model does not say it."""

    location: str
    offset: int
    length: int
    checksum: str


def is_external(item: TensorProto) -> bool:
    return item.data_location == TensorProto.EXTERNAL


def read_external(model: onnx.ModelProto, folder: Path) -> dict[str, np.ndarray]:
    """The initializers of a model that stand in files of `folder`, by name, as views of the mapped files.

    Raises DataError (onnx-external) at the first that breaks a rule.
    """
    items = [item for item in model.graph.initializer if is_external(item)]
    references = [reference(item) for item in items]
    files = {place: opened(folder, place) for place in dict.fromkeys(found.location for found in references)}
    return {item.name: show(item, found, files[found.location]) for item, found in zip(items, references, strict=True)}


def verify_checksums(model: onnx.ModelProto, folder: Path) -> None:
    """Compare each file with the checksums that the model gives. Raises DataError (onnx-external)."""
    named: dict[str, set[str]] = {}
    for found in map(reference, filter(is_external, model.graph.initializer)):
        named.setdefault(found.location, set()).add(found.checksum)
    for location, checksums in named.items():
        if checksums - {"", *digests(opened(folder, location), "sha1")}:
            raise bad(location, "its SHA-1 is not the checksum that the model gives")


# ---- the words of the model -------------------------------------------------------------------------------------------------------


def reference(item: TensorProto) -> Reference:
    """The entries of a tensor, each checked by itself and against its type."""
    keys = [entry.key for entry in item.external_data]
    if unknown := sorted(set(keys) - set(KEYS)):
        raise bad(item.name, f"it has the key {unknown[0][:40]!r}; there are {', '.join(KEYS)}")
    if len(keys) != len(set(keys)) or "location" not in keys:
        raise bad(item.name, "each key stands once, and `location` is needed")
    given = {entry.key: entry.value for entry in item.external_data}
    length = tensor_bytes(item)
    found = Reference(
        inside(item.name, given["location"]),
        number(item.name, "offset", given.get("offset", "0")),
        number(item.name, "length", given["length"]) if "length" in given else length,
        given.get("checksum", ""),
    )
    if found.length != length:
        raise bad(item.name, f"it has {found.length} bytes, its type says {length}")
    if found.checksum and not (len(found.checksum) == 40 and set(found.checksum) <= set("0123456789abcdef")):
        raise bad(item.name, "its checksum is not 40 hexadecimal digits")
    return found


def tensor_bytes(item: TensorProto) -> int:
    if item.data_type not in PLAIN:
        raise bad(item.name, f"the element type {item.data_type} is not read from a file")
    if any(size < 0 for size in item.dims):
        raise bad(item.name, "it has a negative size")
    if item.raw_data:
        raise bad(item.name, "it has bytes in the model too")
    return prod(item.dims) * helper.tensor_dtype_to_np_dtype(item.data_type).itemsize


def number(name: str, key: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= DIGITS):
        raise bad(name, f"its {key} is no whole number: {text[:40]!r}")
    return int(text)


def inside(name: str, location: str) -> str:
    """A relative location without `..`, NUL, drive or backslash."""
    parts = location.split("/")
    if not location or len(location) > LONGEST or "\0" in location or "\\" in location or ":" in parts[0]:
        raise bad(name, f"its location is no name of a file: {location[:80]!r}")
    if location.startswith("/") or any(part in ("", ".", "..") for part in parts):
        raise bad(name, f"its location is not a plain path inside the model's folder: {location[:80]!r}")
    return location


# ---- the file ---------------------------------------------------------------------------------------------------------------------


def opened(folder: Path, location: str) -> mmap.mmap:
    """The file mapped for reading. Each part of the path is opened by itself, so that none can be a link."""
    try:
        descriptor = open_file(Below(folder, PurePosixPath(location)))
    except OSError as error:
        raise bad(location, reason(error)) from None
    try:
        refuse_odd(os.fstat(descriptor), location)
        return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    finally:
        os.close(descriptor)


def refuse_odd(status: os.stat_result, location: str) -> None:
    if status.st_nlink != 1:
        raise bad(location, "it has several names (hard links): what it holds may be changed from elsewhere")
    if not status.st_size:
        raise bad(location, "it is empty")


def show(item: TensorProto, found: Reference, file: mmap.mmap) -> np.ndarray:
    if found.offset + found.length > len(file):
        raise bad(item.name, f"it ends at byte {found.offset + found.length}, {found.location} at {len(file)}")
    dtype = helper.tensor_dtype_to_np_dtype(item.data_type).newbyteorder("<")
    return mapped(file, dtype, tuple(item.dims), found.offset)


def digests(file: mmap.mmap, *kinds: str) -> tuple[str, ...]:
    """Of a mapped file, without keeping its pages. kinds: `sha1`, `sha256`."""
    found = [hashlib.new(kind, usedforsecurity=False) for kind in kinds]
    for piece in spans(file):
        for digest in found:
            digest.update(piece)
    return tuple(digest.hexdigest() for digest in found)


def bad(tensor: str, problem: str) -> DataError:
    return DataError(BadExternalData(tensor=tensor, problem=problem))
