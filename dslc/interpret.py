"""The plain interpreter: graph + array namespace -> values. It is the definition, and the oracle of every faster path."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from dslc.diagnostics import DataError, SpecError
from dslc.ir.errors import BadArray, NotRunnable
from dslc.ir.graph import Graph, Input, Node
from dslc.ops.infer import evaluate, resolve_attrs
from dslc.ops.table import lookup

OnNode = Callable[[Node, Sequence[Any]], None]


def interpret(
    graph: Graph, xp: Any, arrays: Mapping[str, Any], on_node: OnNode | None = None, *, dims: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """Run the reference `eval` of every node in order.

    arrays: by input name, of the input's dtype; names that are no inputs are left alone. Symbolic dims take the sizes found there;
    `dims` gives those that no input shows.
    on_node: called with every node and its results. A value is freed after its last use.
    Returns the outputs by name, and the updates as "update:ADDRESS". Raises DataError for an array that does not fit, SpecError for
    an operator that stands by its signature only.

    >>> import numpy as np
    >>> from dslc.ir.types import tensor
    >>> from dslc.ops.value import Builder
    >>> b = Builder("double")
    >>> x = b.input("input", "x", tensor("f32", "n"))
    >>> b.output("y", x + x)
    >>> interpret(b.build(), np, {"x": np.array([1.0, 2.5], np.float32)})["y"].tolist()
    [2.0, 5.0]
    """
    sizes = dict(dims or {}) | bind_dims(graph, arrays)
    check_values(graph, sizes)
    values = {item.id: arrays[item.name] for item in graph.inputs}
    dying = last_uses(graph)
    with quiet(xp):
        for at, node in enumerate(graph.nodes):
            results = run_node(xp, node, [values[id] for id in node.inputs], sizes)
            values.update(zip(node.outputs, results, strict=True))
            if on_node is not None:
                on_node(node, results)
            for id in dying[at]:
                del values[id]
    found = {output.name: values[output.id] for output in graph.outputs}
    return found | {f"update:{update.name}": values[update.id] for update in graph.updates}


def run_node(xp: Any, node: Node, inputs: Sequence[Any], dims: Mapping[str, int]) -> tuple[Any, ...]:
    """The results of one node. Reductions to rank 0 may come back as scalars of the namespace: they are made arrays."""
    if lookup(node.op).eval is None or node.body is not None:
        raise SpecError(NotRunnable(operator=node.op, place=node.place or node.address))
    try:
        attrs = resolve_attrs(node.attrs, dims)
    except KeyError as error:
        name = str(error.args[0])
        raise DataError(BadArray(name=name, reason=f"no input shows this size, which {node.address} needs")) from error
    try:
        return tuple(xp.asarray(result) for result in evaluate(node.op, xp, inputs, attrs))
    except IndexError as error:  # a label or an index that is data
        raise DataError(BadArray(name=node.place or node.address, reason=str(error))) from error


def quiet(xp: Any) -> AbstractContextManager[Any]:
    """Overflow and invalid operations give inf and nan silently, as the definition says; NumPy would warn."""
    return xp.errstate(all="ignore") if xp.__name__ == "numpy" else nullcontext()


# ---- what comes in -----------------------------------------------------------------------------------------------------------


def bind_dims(graph: Graph, arrays: Mapping[str, Any]) -> dict[str, int]:
    """The sizes of the symbolic dims, from the shapes of the arrays; raises DataError where an array does not fit."""
    dims: dict[str, int] = {}
    for item in graph.inputs:
        check_kind(graph, item, arrays)
        for size, found in zip(graph.types[item.id].shape, arrays[item.name].shape, strict=True):
            if str(size) in size.names:
                dims.setdefault(str(size), int(found))
    for item in graph.inputs:
        check_sizes(graph, item, arrays[item.name].shape, dims)
    return dims


def check_kind(graph: Graph, item: Input, arrays: Mapping[str, Any]) -> None:
    """The array is there, with the right dtype and number of axes."""
    type = graph.types[item.id]
    if item.name not in arrays:
        raise DataError(BadArray(name=item.name, reason=f"no array is given for this {item.kind} of {graph.name}, which is {type}"))
    array = arrays[item.name]
    if str(array.dtype) != type.dtype.numpy:
        raise DataError(BadArray(name=item.name, reason=f"the array is {array.dtype}, {type.dtype.numpy} is needed"))
    if array.ndim != type.rank:
        raise DataError(BadArray(name=item.name, reason=f"the array has shape {tuple(array.shape)}, {type} is needed"))


def check_sizes(graph: Graph, item: Input, shape: Sequence[int], dims: Mapping[str, int]) -> None:
    """Every size is at least 1 and what the other inputs say."""
    type = graph.types[item.id]
    for axis, (size, found) in enumerate(zip(type.shape, shape, strict=True)):
        unknown = sorted(size.names - dims.keys())
        if unknown:
            raise DataError(BadArray(name=item.name, reason=f"the size {unknown[0]} in {type} cannot be found from the arrays"))
        wanted = size.evaluate(dims)
        if found != wanted:
            reason = f"axis {axis} is {found}, but {size} is {wanted}" if not size.is_constant else f"axis {axis} is {found}, not {wanted}"
            raise DataError(BadArray(name=item.name, reason=f"{reason} ({type} is needed)"))
        if found < 1:
            raise DataError(BadArray(name=item.name, reason=f"axis {axis} is empty"))


def check_values(graph: Graph, dims: Mapping[str, int]) -> None:
    """No value is empty at these sizes; raises DataError for the first one that is, as of a window that does not fit into its input."""
    for node in graph.nodes:
        for id in node.outputs:
            type = graph.types[id]
            if type.names <= dims.keys() and any(size.evaluate(dims) < 1 for size in type.shape if not size.is_constant):
                sizes = ", ".join(f"{name}={dims[name]}" for name in sorted(type.names))
                raise DataError(BadArray(name=node.place or node.address, reason=f"{type} is empty at {sizes}: the input is too small"))


def last_uses(graph: Graph) -> list[list[int]]:
    """For each node the values that nobody needs after it."""
    last: dict[int, int] = {}
    for at, node in enumerate(graph.nodes):
        last.update(dict.fromkeys(node.outputs, at))  # a result that is never used dies at once
        last.update(dict.fromkeys(node.inputs, at))
    for item in (*graph.outputs, *graph.updates):
        last.pop(item.id, None)
    dying: list[list[int]] = [[] for _ in graph.nodes]
    for id, at in last.items():
        dying[at].append(id)
    return dying
