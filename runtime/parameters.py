"""Weights and states of a training. The trained weights of one dtype are one flat vector, in order and spacing of their gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dslc.diagnostics import DataError
from dslc.ir.types import DType
from dslc.program import State, Weight
from dslc.usage import advice
from runtime.arena import aligned, view
from runtime.device import Array, Device
from runtime.errors import BadParameter
from runtime.runner import as_array
from runtime.train.initializers import initialize


@dataclass
class Flat:
    """All trained weights of one dtype. start, stop: bytes of their gradients; places: address -> (first element, shape)."""

    dtype: DType
    start: int
    stop: int
    places: dict[str, tuple[int, tuple[int, ...]]]
    weights: Array
    slots: dict[str, Array] = field(default_factory=dict)

    def cut(self, vector: Array) -> dict[str, Array]:
        """The parts of a vector of this layout, as views by address."""
        return {name: vector[at : at + int(np.prod(shape, dtype=np.int64))].reshape(shape) for name, (at, shape) in self.places.items()}


class Parameters:
    """Memory of all weights and states. order: the trained addresses, one dtype after the other; arrays: views by address."""

    def __init__(self, device: Device, weights: Sequence[Weight], states: Sequence[State], trained: Sequence[str], seed: int) -> None:
        self.device = device
        types = {item.address: item.type for item in (*weights, *states)}
        self.order = tuple(sorted(trained, key=lambda name: list(DType).index(types[name].dtype)))
        self.arrays: dict[str, Array] = {}
        self.flats: list[Flat] = []
        self.layout(types)
        for address, type in types.items():
            if address not in self.arrays:
                self.arrays[address] = view(device.empty(aligned(type.bytes.constant)), 0, type.sizes({}), type.dtype.numpy)
        for item in (*weights, *states):
            device.to_device(self.arrays[item.address], initialize(item, seed))

    def layout(self, types: Mapping[str, Any]) -> None:
        """Every trained weight on a 64-byte boundary, as the plan lays the gradients."""
        at = 0
        for dtype in DType:
            start, places = at, {}
            for name in (name for name in self.order if types[name].dtype is dtype):
                places[name] = ((at - start) // dtype.itemsize, types[name].sizes({}))
                at += aligned(types[name].bytes.constant)
            if places:
                flat = Flat(dtype, start, at, places, self.vector((at - start) // dtype.itemsize, dtype))
                self.flats.append(flat)
                self.arrays |= flat.cut(flat.weights)

    def vector(self, length: int, dtype: DType) -> Array:
        """Zeros, so that the gaps between weights stay zero under every optimizer."""
        found = view(self.device.empty(length * dtype.itemsize), 0, (length,), dtype.numpy)
        found[...] = 0
        return found

    def copies(self) -> dict[str, np.ndarray[Any, Any]]:
        return {name: self.device.to_host(array) for name, array in self.arrays.items()}

    def load(self, mapping: Mapping[str, Any]) -> None:
        """Weights and states by address; those that are not named stay. All are checked before the first is copied. Raises DataError."""
        if not isinstance(mapping, Mapping):
            raise DataError(BadParameter(address="load", reason="arrays by address are needed, as `parameters()` gives them"))
        sources = {name: as_array(name, value) for name, value in mapping.items()}
        faults = [
            BadParameter(address=name, reason="it holds a value that is not finite")
            for name, array in sources.items()
            if array.dtype.kind == "f" and not np.isfinite(array).all()
        ]
        if faults:
            raise DataError(faults)
        self.fill(sources, self.arrays, complete=False)

    def fill(self, mapping: Mapping[str, Any], targets: Mapping[str, Array], *, complete: bool) -> None:
        """Copy arrays into `targets` by name; all are checked before the first is copied."""
        faults = [
            BadParameter(address=name, reason=f"there is no such array here{near(name, targets)}")
            for name in mapping
            if name not in targets
        ]
        if complete:
            faults += [BadParameter(address=name, reason="it is missing") for name in targets if name not in mapping]
        sources = {name: np.asarray(value) for name, value in mapping.items()}
        for name, source in sources.items():
            if name in targets and (source.shape != targets[name].shape or source.dtype != targets[name].dtype):
                found, wanted = (f"{a.dtype}{list(a.shape)}" for a in (source, targets[name]))
                faults.append(BadParameter(address=name, reason=f"it is {found}, {wanted} is needed"))
        if faults:
            raise DataError(faults)
        for name, source in sources.items():
            targets[name][...] = source if self.device.name == "numpy" else self.device.xp.asarray(source)


def near(name: str, known: Mapping[str, Any]) -> str:
    hint = advice(name, known, "")
    return f"; {hint}" if hint else ""
