"""What all lowerings share: the registry, and how they read a node.

A lowering is `lower(w, node, inputs, outputs)`: `w` the Writer, `inputs` and `outputs` tensor names. It must define every output.
Operators whose row names an ONNX operator directly need none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dslc.ir.graph import Node
from dslc.ir.types import DType, TensorType
from dslc.ops.support import normal_axes
from exporters.onnx.model import Writer

Lowering = Callable[[Writer, Node, Sequence[str], Sequence[str]], None]
LOWERINGS: dict[str, Lowering] = {}


def lowering(*names: str) -> Callable[[Lowering], Lowering]:
    """Register a function as the lowering of these operators."""

    def register(function: Lowering) -> Lowering:
        LOWERINGS.update(dict.fromkeys(names, function))
        return function

    return register


def result(w: Writer, node: Node, index: int = 0) -> TensorType:
    """The type of the node's result."""
    return w.types[node.outputs[index]]


def like(type: TensorType, dtype: DType) -> TensorType:
    return TensorType(dtype=dtype, shape=type.shape)


def optional(node: Node, inputs: Sequence[str], required: int) -> dict[str, str]:
    """The optional inputs that are present, by name."""
    return dict(zip(node.attrs.get("optional", ()) or (), inputs[required:], strict=True))  # type: ignore[arg-type]


def axes_of(node: Node, rank: int) -> list[int]:
    """The attribute `axis` as a sorted list of non-negative axes; None means all."""
    axis: Any = node.attrs.get("axis")
    return list(normal_axes(axis, rank))
