"""Weights beside the model: which tensors stand in the data file and where, as plain bytes or as a safetensors file; the file written.

    model.onnx        nodes, types, small constants; of each weight its name, type, sizes, and location, offset, length, checksum
    model.onnx.data   the numbers, little-endian, each tensor at a multiple of 64 bytes, large ones at a page

A tensor is written from where it lies, a piece at a time, so that writing needs the memory of one piece.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto

from dslc.diagnostics import SpecError
from dslc.files import output_path, same_file
from dslc.pieces import pieces, raw
from dslc.safetensors_header import ordered, packed_header, read_header
from dslc.usage import BadArgument
from exporters.onnx.errors import TooLarge
from exporters.onnx.external_read import bad, opened

LARGEST = 2**31 - 2**26  # bytes of weights in one file; protobuf ends at 2 GiB, nodes and types have the rest
ABOVE = 3 * 2**29  # 1.5 GiB: more bytes of weights stand beside the model
ALIGN, PAGE = 64, 4096  # where a tensor begins; one of at least a page begins at a page
SMALL = 1024  # bytes; smaller constants stand in the model
SAFETENSORS = ".safetensors"
CONSTANT = "constant/"


@dataclass(frozen=True)
class DataFile:
    """arrays: what stands in it, in order; offsets: from its start; is_new: it has to be written."""

    location: str
    arrays: Mapping[str, np.ndarray]
    offsets: Mapping[str, int]
    header: bytes = b""
    is_new: bool = True

    @property
    def size(self) -> int:
        return max((self.offsets[name] + array.nbytes for name, array in self.arrays.items()), default=len(self.header))

    def refer(self, proto: TensorProto, name: str) -> None:
        """Say where the numbers of an initializer stand."""
        proto.data_location = TensorProto.EXTERNAL
        entries = {"location": self.location, "offset": str(self.offsets[name]), "length": str(self.arrays[name].nbytes)}
        for key, value in entries.items():
            proto.external_data.add(key=key, value=value)

    def chunks(self) -> Iterator[bytes | memoryview]:
        """The bytes of the file from its start."""
        yield self.header
        at = len(self.header)
        for name, array in self.arrays.items():
            yield bytes(self.offsets[name] - at)
            yield from map(raw, pieces(array))
            at = self.offsets[name] + array.nbytes

    def write(self, path: Path) -> tuple[str, str]:
        """Write the file, flushed to the disk; SHA-1 and SHA-256 of it. Raises OSError."""
        digests = hashlib.sha1(usedforsecurity=False), hashlib.sha256()
        with path.open("xb") as file:
            for chunk in self.chunks():
                file.write(chunk)
                for digest in digests:
                    digest.update(chunk)
            file.flush()
            os.fsync(file.fileno())
        return digests[0].hexdigest(), digests[1].hexdigest()


def stamp(model: onnx.ModelProto, checksum: str) -> None:
    """Give the SHA-1 of the data file with every tensor of it."""
    for item in model.graph.initializer:
        if item.data_location == TensorProto.EXTERNAL:
            item.external_data.add(key="checksum", value=checksum)


@dataclass(frozen=True)
class Storage:
    """What the caller wants. location: of the data file, relative to the model's folder, with `/`.

    above, always: from how many bytes of weights on they stand beside the model, or in any case; holder: the file at `location`, where
    it holds the parameters already.
    """

    location: str = "model.onnx.data"
    above: int = ABOVE
    always: bool = False
    holder: Path | None = None

    def refuse(self, network: str, size: int) -> None:
        """SpecError where all weights have to stand in the model and do not fit."""
        if not self.always and LARGEST < size <= self.above:
            raise SpecError(TooLarge(network=network, bytes=size))

    def plan(self, network: str, arrays: Mapping[str, np.ndarray]) -> DataFile | None:
        """The data file for the initializers of a model; None where all stand in the model. SpecError where they do not fit there."""
        size = sum(array.nbytes for array in arrays.values())
        found = self.data_file(arrays) if self.always or size > self.above else None
        rest = size - sum(array.nbytes for array in found.arrays.values()) if found else size
        if rest > LARGEST:
            raise SpecError(TooLarge(network=network, bytes=rest))
        return found

    def data_file(self, arrays: Mapping[str, np.ndarray]) -> DataFile:
        parameters = {name: array for name, array in arrays.items() if not name.startswith(CONSTANT)}
        if self.holder is not None:
            return held(self.location, self.holder, parameters)
        if self.location.endswith(SAFETENSORS):
            return as_safetensors(self.location, parameters)
        return as_bytes(self.location, {name: array for name, array in arrays.items() if name in parameters or array.nbytes >= SMALL})


# ---- layouts ----------------------------------------------------------------------------------------------------------------------


def as_bytes(location: str, arrays: Mapping[str, np.ndarray]) -> DataFile:
    """One tensor after the other."""
    at, offsets = 0, {}
    for name, array in arrays.items():
        at += -at % (PAGE if array.nbytes >= PAGE else ALIGN)
        offsets[name] = at
        at += array.nbytes
    return DataFile(location, arrays, offsets)


def as_safetensors(location: str, arrays: Mapping[str, np.ndarray]) -> DataFile:
    """A safetensors file of these tensors; the format has no holes, so that only the first begins at a page."""
    arrays = ordered(arrays)
    header, offsets = packed_header(arrays, PAGE)
    return DataFile(location, arrays, offsets, header)


def held(location: str, holder: Path, arrays: Mapping[str, np.ndarray]) -> DataFile:
    """The places in a safetensors file that holds all of these tensors. Raises DataError where one is missing or of another type."""
    try:
        tensors, _ = read_header(opened(holder.parent, holder.name))
    except ValueError as error:
        raise bad(location, str(error)) from None
    for name, array in arrays.items():
        found = tensors.get(name)
        if found is None or (found.dtype, found.shape) != (array.dtype.name, array.shape):
            kind = f"{found.dtype}{list(found.shape)}" if found else "not there"
            raise bad(location, f"`{name}` is {array.dtype}{list(array.shape)} in the model and {kind} in the file")
    return DataFile(location, arrays, {name: tensors[name].offset for name in arrays}, is_new=False)


# ---- what the caller asks for ---------------------------------------------------------------------------------------------------------


def storage_for(target: Path | None, data: bool | str | None, above: int | None = None, checkpoint: Path | None = None) -> Storage:
    """data: None, beside the model above `above` bytes (default: 1.5 GiB); True, always; False, never; a name, always, in this file.

    checkpoint: the file that the parameters come from; where the name is this file, it is referred to and not written.
    Raises SpecError for a name that is no plain relative path, or the model's own, or a spec's, or of another checkpoint; DataError where
    its folder is not there.
    """
    name = target.name if target is not None else "model.onnx"
    above = ABOVE if above is None else above
    if not isinstance(data, str):
        return Storage(f"{name}.data", above if data is not False else 2**63, data is True)
    parts = data.split("/")
    if any(part in ("", ".", "..") for part in parts) or set(data) & set("\0\\:") or data == name:
        detail = f"--external-data: a name in the model's folder, or below it, is needed, not {data[:80]!r}"
        raise SpecError(BadArgument(detail=detail, usage=f"--external-data {name.removesuffix('.onnx')}{SAFETENSORS}"))
    place = output_path(str((target.parent if target is not None else Path()) / data))
    if checkpoint is None or not same_file(place.parent, checkpoint.parent):
        return Storage(data, above, always=True)
    if place.name != checkpoint.name:
        detail = f"--external-data: of the run's checkpoints only {checkpoint.name} holds the weights that are exported, not {place.name}"
        raise SpecError(BadArgument(detail=detail, usage=f"--external-data {data.rpartition('/')[0]}/{checkpoint.name}"))
    return Storage(data, above, always=True, holder=place)
