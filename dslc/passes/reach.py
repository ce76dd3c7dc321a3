"""Which values a loss is computed from by a differentiable path."""

from __future__ import annotations

from collections.abc import Sequence

from dslc.ir.graph import Node
from dslc.ir.types import TensorType
from dslc.ops.table import lookup
from dslc.passes.differentiate import input_names


def reached(nodes: Sequence[Node], types: Sequence[TensorType], seed: int) -> set[int]:
    """The floating values to which the value `seed` has a gradient. An operator that stands by its signature only passes all on.

    >>> from dslc.ir.types import tensor
    >>> from dslc.ops.value import Builder, F
    >>> b = Builder("g")
    >>> x, y = b.input("weight", "x", tensor("f32", 3)), b.input("weight", "y", tensor("f32", 3))
    >>> loss = F.sum(x * F.stop_gradient(y))
    >>> found = reached(b.nodes, b.types, loss.id)
    >>> x.id in found, y.id in found
    (True, False)
    """
    found = {seed}
    for node in reversed(nodes):
        if found.isdisjoint(node.outputs):
            continue
        row = lookup(node.op)
        blind = row.eval is None or node.body is not None
        for id, name in zip(node.inputs, input_names(node), strict=True):
            if types[id].dtype.is_float and (blind or row.grad.get(name) is not None):
                found.add(id)
    return found
