"""Weights and states of a training. Trained weights lie in flat vectors, in order and spacing of their gradients: one for each dtype and
each set of steps that trains them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dslc.diagnostics import DataError
from dslc.ir.types import DType, TensorType
from dslc.program import State, Weight
from dslc.usage import advice
from runtime.arena import aligned, view
from runtime.device import Array, Device
from runtime.errors import BadParameter
from runtime.runner import as_array
from runtime.train.initializers import initialize


@dataclass(frozen=True)
class Flat:
    """The weights of one dtype that the same steps train. steps: their numbers; places: address -> (first element, shape)."""

    dtype: DType
    steps: frozenset[int]
    places: dict[str, tuple[int, tuple[int, ...]]]
    weights: Array

    def cut(self, vector: Array) -> dict[str, Array]:
        """The parts of a vector of this layout, as views by address."""
        return {name: vector[at : at + elements(shape)].reshape(shape) for name, (at, shape) in self.places.items()}


def elements(shape: Sequence[int]) -> int:
    return int(np.prod(shape, dtype=np.int64))


class Parameters:
    """Memory of all weights and states. trained: the addresses that each step trains; arrays: views by address."""

    def __init__(
        self, device: Device, weights: Sequence[Weight], states: Sequence[State], trained: Sequence[Sequence[str]], seed: int
    ) -> None:
        self.device = device
        types = {item.address: item.type for item in (*weights, *states)}
        self.arrays: dict[str, Array] = {}
        self.flats = self.layout(types, trained)
        for address, type in types.items():
            if address not in self.arrays:
                self.arrays[address] = view(device.empty(aligned(type.bytes.constant)), 0, type.sizes({}), type.dtype.numpy)
        for item in (*weights, *states):
            device.to_device(self.arrays[item.address], initialize(item, seed))

    def layout(self, types: Mapping[str, TensorType], trained: Sequence[Sequence[str]]) -> list[Flat]:
        """Flat vectors in order of dtype, every weight on a 64-byte boundary, as the plans lay the gradients."""
        steps = {name: frozenset(at for at, names in enumerate(trained) if name in names) for name in types}
        kinds = dict.fromkeys((types[name].dtype, steps[name]) for name in types if steps[name])
        return [
            self.flat(dtype, owners, {name: types[name] for name in types if (types[name].dtype, steps[name]) == (dtype, owners)})
            for dtype, owners in sorted(kinds, key=lambda kind: list(DType).index(kind[0]))
        ]

    def flat(self, dtype: DType, steps: frozenset[int], types: Mapping[str, TensorType]) -> Flat:
        at, places = 0, {}
        for name, type in types.items():
            places[name] = (at // dtype.itemsize, type.sizes({}))
            at += aligned(type.bytes.constant)
        found = Flat(dtype, steps, places, self.vector(at // dtype.itemsize, dtype))
        self.arrays |= found.cut(found.weights)
        return found

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
            targets[name][...] = source if self.device.threaded else self.device.xp.asarray(source)


def near(name: str, known: Mapping[str, Any]) -> str:
    hint = advice(name, known, "")
    return f"; {hint}" if hint else ""
