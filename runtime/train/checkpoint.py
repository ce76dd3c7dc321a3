"""Checkpoints: safetensors files that know what they hold.

Tensors: weights and states by address, the optimizer's slots as `optimizer/NAME`. The file's metadata has one key, `dslc`, a JSON
object of `format`, `meta` (counters, best metric, hashes of spec and data, environment), `tensors` (SHA-256 of each tensor with its
name, type and shape) and `digest`, the SHA-256 over all of that. So every bit of the file is covered by a hash.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dslc.below import open_file
from dslc.diagnostics import DataError
from dslc.pieces import mapped, pieces, raw
from dslc.safetensors_header import ordered, packed_header, read_header
from runtime.train.atomic import write_atomic
from runtime.train.errors import CheckpointBroken

FORMAT = 2
SLOT = "optimizer/"
KINDS = "biuf"


@dataclass(frozen=True)
class Checkpoint:
    """parameters: weights and states by address; slots: the optimizer's state by name; meta: JSON values."""

    parameters: dict[str, np.ndarray]
    slots: dict[str, np.ndarray]
    meta: dict[str, Any]


def save_checkpoint(folder: Path, name: str, checkpoint: Checkpoint) -> None:
    """Write `folder/name.safetensors` atomically. Raises DataError; the earlier file then stands."""
    write_atomic(folder, f"{name}.safetensors", encode(checkpoint))


def load_checkpoint(path: Path, file: str) -> Checkpoint:
    """Read and verify a checkpoint; `file` is the name that messages use. Raises DataError."""
    return decode(_read(path, file), file)


def map_checkpoint(path: Path, file: str) -> Checkpoint:
    """The same without reading it into memory: verified a piece at a time, the tensors views of the mapped file that cannot be written."""
    try:
        with os.fdopen(open_file(path, links=False), "rb") as stream:
            data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:  # ValueError: the file is empty
        problem = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise _broken(file, f"cannot be read: {problem}") from None
    return decode(data, file)


def read_tensors(path: Path, file: str) -> tuple[str, dict[str, np.ndarray]]:
    """The SHA-256 of a safetensors file of any program, and its tensors. One of ours is verified. Raises DataError."""
    data = _read(path, file)
    tensors, stored = _views(data, file)
    for name, array in tensors.items():
        if array.dtype == np.bool_ and array.view(np.uint8).max(initial=0) > 1:
            raise _broken(file, f"`{name[:80]}` has truth values that are neither 0 nor 1")
    if "dslc" in stored:
        tensors = decode(data, file).parameters
    return hashlib.sha256(data).hexdigest(), tensors


def encode(checkpoint: Checkpoint) -> bytearray:
    """The bytes of a checkpoint: the same for the same contents. Nothing else is allocated that is as large as a tensor."""
    tensors, header, size = _packed(checkpoint)
    data = bytearray(size)
    data[: len(header)] = header
    rest = memoryview(data)[len(header) :]
    for array in tensors.values():
        for piece in pieces(array):
            rest[: piece.nbytes] = raw(piece)
            rest = rest[piece.nbytes :]
    return data


def encoded_size(checkpoint: Checkpoint) -> int:
    """How many bytes `encode` gives."""
    return _packed(checkpoint)[2]


def _packed(checkpoint: Checkpoint) -> tuple[dict[str, np.ndarray], bytes, int]:
    """The tensors in their order, the header, and the length of all."""
    tensors = ordered({**checkpoint.parameters, **{SLOT + name: array for name, array in checkpoint.slots.items()}})
    content = _content(tensors, checkpoint.meta)
    words = {"dslc": json.dumps({**content, "digest": _digest(content)}, sort_keys=True)}
    header, _ = packed_header(tensors, 8, words)
    return tensors, header, len(header) + sum(array.nbytes for array in tensors.values())


def _content(tensors: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> dict[str, Any]:
    return {"format": FORMAT, "meta": dict(meta), "tensors": {name: tensor_hash(name, tensors[name]) for name in sorted(tensors)}}


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def tensor_hash(name: str, array: np.ndarray) -> str:
    """SHA-256 over name, type, shape and bytes."""
    digest = hashlib.sha256(json.dumps([name, str(array.dtype), list(array.shape)]).encode())
    for piece in pieces(array):
        digest.update(raw(piece))
    return digest.hexdigest()


def decode(data: bytes | mmap.mmap, file: str) -> Checkpoint:
    """The checkpoint in `data`, every hash verified; of a mapped file the tensors are views. Raises DataError (checkpoint-broken)."""
    tensors, words = _views(data, file)
    stored = _metadata(words, file)
    if stored.get("format") != FORMAT:
        raise _broken(file, f"is of format {str(stored.get('format'))[:20]}, this version reads format {FORMAT}")
    if not isinstance(data, mmap.mmap):
        tensors = {name: array.copy() for name, array in tensors.items()}
    try:
        digest = stored.pop("digest")
        sound = digest == _digest(_content(tensors, stored["meta"])) == _digest(stored)
    except (KeyError, TypeError, ValueError):
        sound = False
    if not sound:
        raise _broken(file, "its contents do not have the hashes that it was written with: it is damaged")
    parameters = {name: array for name, array in tensors.items() if not name.startswith(SLOT)}
    slots = {name.removeprefix(SLOT): array for name, array in tensors.items() if name.startswith(SLOT)}
    return Checkpoint(parameters, slots, stored["meta"])


def _views(data: bytes | mmap.mmap, file: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The tensors as views, and the texts of the header. Raises DataError for a file that is not sound."""
    try:
        tensors, words = read_header(data)
    except ValueError as error:
        raise _broken(file, f"cannot be read: {error}") from None
    return {name: mapped(data, np.dtype(item.dtype), item.shape, item.offset) for name, item in tensors.items()}, words


def _metadata(words: Mapping[str, str], file: str) -> dict[str, Any]:
    """The JSON object under `dslc` in the header."""
    try:
        stored = json.loads(words["dslc"])
    except (ValueError, KeyError, RecursionError):
        raise _broken(file, "has no header of a dslc checkpoint") from None
    if not isinstance(stored, dict) or not isinstance(stored.get("meta"), dict):
        raise _broken(file, "has no header of a dslc checkpoint")
    return stored


def _read(path: Path, file: str) -> bytes:
    try:
        with os.fdopen(open_file(path, links=False), "rb") as stream:
            return stream.read()
    except OSError as error:
        raise _broken(file, f"cannot be read: {error.strerror or error}") from None


def _broken(file: str, problem: str) -> DataError:
    return DataError(CheckpointBroken(file=file, problem=problem))
