"""A nest while it is made: its writer, the axes that were cut, the questions that its indices raise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runtime.loops.nest import Affine, Index, Load, Nest, Size, Taken, Writer, at
from runtime.loops.trim import joined, used, whole

if TYPE_CHECKING:
    from runtime.loops.namespace import Namespace
    from runtime.loops.tensor import Tensor

Shape = tuple[Size, ...]
Read = Callable[[Index], int]
Place = Callable[[Index], tuple[str, Index]]


@dataclass
class Tracer:
    """One nest while it is made.

    parts: axes that were cut into several, the outermost first; watched: indices that must be places from 0 on below a number.
    """

    writer: Writer = field(default_factory=Writer)
    parts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    watched: list[tuple[Tensor, Size]] = field(default_factory=list)

    @property
    def xp(self) -> Namespace:
        from runtime.loops.namespace import Namespace

        return Namespace(self)

    def array(self, name: str, shape: Shape, dtype: Any) -> Tensor:
        """All of an array."""
        return replace(self.placed(lambda index: (name, index), shape, dtype), whole=True)

    def placed(self, place: Place, shape: Shape, dtype: Any) -> Tensor:
        """Elements of an array, in an order of their own."""
        from runtime.loops.tensor import Tensor

        def read(index: Index) -> int:
            array, where = place(index)
            return self.writer.add(Load(array, where, np.dtype(dtype).name))

        return Tensor(self, shape, np.dtype(dtype), read, place)

    def value(self, number: int) -> Tensor:
        """A value of the nest, wherever it is read."""
        from runtime.loops.tensor import Tensor

        return Tensor(self, (), np.dtype(self.writer.values[number].dtype), lambda index: number)

    def cut(self, axis: str, sizes: Sequence[Size]) -> None:
        """From now on the axis is its parts: their mixed number."""
        self.parts[axis] = tuple(self.writer.axis(size, axis) for size in sizes)

    def in_parts(self, item: Affine) -> Affine:
        """A place with the axes that were cut replaced by their parts."""
        for axis, parts in self.parts.items():
            if item.coefficient(axis):
                item = item.substitute({axis: whole(self.writer.axes, parts)})
        return item

    def indices(self) -> list[Affine | Taken]:
        """Of all loads so far."""
        return [item for value in self.writer.values if isinstance(value, Load) for item in value.index]

    def nest(self, name: str) -> Nest:
        nest = self.writer.nest(name)
        for axis, parts in self.parts.items():
            nest = joined(nest, axis, parts)
        return used(nest)


def all_of(tracer: Tracer, shape: Shape, hint: str = "i") -> Index:
    """New axes for every place of a shape."""
    return at(*(tracer.writer.axis(size, hint) if size != 1 else 0 for size in shape))
