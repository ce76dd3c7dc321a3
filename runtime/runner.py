"""Executors that grow: planned for a first size, planned anew where a larger one comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dslc.diagnostics import DataError
from dslc.interpret import bind_dims
from dslc.ir.graph import Graph
from dslc.ir.types import TensorType
from dslc.usage import advice
from runtime.arena import Pool
from runtime.device import Array, Device
from runtime.errors import BadField
from runtime.executor import Executor
from runtime.memory import enough_memory
from runtime.workers import Workers

if TYPE_CHECKING:
    from runtime.native import NativeExecutor


class Runner:
    """Runs a graph at any size over shared parameters (`storage`, by input name)."""

    def __init__(
        self,
        graph: Graph,
        device: Device,
        dims: Mapping[str, int],
        storage: Mapping[str, Array],
        workers: Workers | None,
        contiguous: Sequence[str] = (),
        pool: Pool | None = None,
    ) -> None:
        self.graph = graph
        self.device = device
        names = {item.name for item in graph.inputs}
        self.storage = {name: array for name, array in storage.items() if name in names}
        self.workers = workers
        self.contiguous, self.pool = contiguous, pool
        self.keyed = next((item.name for item in graph.inputs if item.kind == "key"), None)
        self.first = {name: dims[name] for name in graph.dims if name in dims}
        self.planned: Executor | NativeExecutor | None = None
        if set(self.first) == set(graph.dims):
            self.plan(self.first)

    @property
    def executor(self) -> Executor | NativeExecutor:
        """The present executor; where sizes other than the batch are open, there is one only after the first run."""
        if self.planned is None:
            self.plan({name: self.first.get(name, 1) for name in self.graph.dims})
        assert self.planned is not None
        return self.planned

    def plan(self, dims: Mapping[str, int]) -> None:
        with enough_memory():
            self.planned = executor_of(self.device)(
                self.graph,
                self.device,
                dims,
                contiguous=self.contiguous,
                storage=self.storage,
                workers=self.workers,
                pool=self.pool,
            )
        self.planned.gradients[...] = 0  # the gaps between gradients

    def run(self, arrays: Mapping[str, Any], key: tuple[int, int, int]) -> dict[str, Array]:
        """Outputs of a batch; views that are valid until the next run."""
        if self.keyed is not None:
            arrays = {**arrays, self.keyed: np.array(key, np.int64)}
        dims = bind_dims(self.graph, self.storage | dict(arrays))
        if self.planned is None or not self.planned.fits(dims):
            known = self.planned.dims if self.planned is not None else self.first
            self.plan({name: max(size, known.get(name, 1)) for name, size in dims.items()})
        return self.executor.run(arrays, dims)


def executor_of(device: Device) -> type[Executor] | type[NativeExecutor]:
    """What runs graphs on a device."""
    if device.name != "cpu":
        return Executor
    from runtime.native import NativeExecutor

    return NativeExecutor


def fields_of(graph: Graph, fields: Mapping[str, Any], storage: Mapping[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """The data inputs of a graph from fields by name (`data.image`, or `image` where one source has it), as arrays of their dtypes.

    Numbers become arrays of the input's shape, whose names the other arrays tell. Raises DataError for what is missing or unknown.
    """
    wanted = {item.name: graph.types[item.id] for item in graph.inputs if item.kind in ("input", "data") and item.name not in storage}
    names = {name: name if name in fields else name.partition(".")[2] for name in wanted}
    found = {}
    for name, short in names.items():
        if short not in fields:
            raise DataError(BadField(field=name, reason=f"it is missing; given are {', '.join(fields) or 'none'}"))
        found[name] = as_typed(name, fields[short], wanted[name])
    numbers = [name for name, array in found.items() if array.ndim == 0 and wanted[name].rank]
    if numbers:
        sizes = sizes_of(found, wanted)
        found |= {name: np.broadcast_to(found[name], wanted[name].sizes(sizes)) for name in numbers if wanted[name].names <= sizes.keys()}
    return found


def sizes_of(arrays: Mapping[str, np.ndarray[Any, Any]], types: Mapping[str, TensorType]) -> dict[str, int]:
    """The sizes that the arrays give the names in their types, as far as they have axes."""
    pairs = [pair for name, array in arrays.items() for pair in zip(types[name].shape, array.shape, strict=False)]
    return {str(size): int(found) for size, found in pairs if str(size) in size.names}


def refuse_unknown(given: Mapping[str, Any], known: Sequence[str]) -> None:
    """DataError for names that mean nothing, with the nearest that does."""
    faults = [
        BadField(field=name, reason=f"there is no such field; {advice(name, known, 'there are ' + ', '.join(known))}")
        for name in given
        if name not in known
    ]
    if faults:
        raise DataError(faults)


def as_array(name: str, value: Any) -> np.ndarray[Any, Any]:
    """A value of Python as an array; rows of different lengths and other objects are a DataError."""
    try:
        found = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise DataError(BadField(field=name, reason=f"it is no array: {str(error).partition('.')[0]}")) from None
    if found.dtype.kind not in "biuf":
        raise DataError(BadField(field=name, reason=f"its elements are of type {found.dtype}, numbers are needed"))
    return found


def as_typed(name: str, value: Any, type: TensorType) -> np.ndarray[Any, Any]:
    array = as_array(name, value)
    dtype = np.dtype(type.dtype.numpy)
    if array.dtype == dtype:
        return array
    if not np.can_cast(array.dtype, dtype, "same_kind") and not (array.dtype.kind in "iu" and dtype.kind in "iuf"):
        raise DataError(BadField(field=name, reason=f"the array is {array.dtype}, {dtype} is needed"))
    cast = array.astype(dtype)
    if dtype.kind in "iu" and (bad := cast.astype(array.dtype) != array).any():
        raise DataError(BadField(field=name, reason=f"it holds {array[bad].flat[0]}, which is no {type.dtype}"))
    return cast
