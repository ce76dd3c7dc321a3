"""Sizes, products of matrices, contractions by letters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from dslc.ir.graph import Node
from dslc.ops.einsum import letters_of
from runtime.loops.lower import Lowering, family
from runtime.loops.nest import Affine, Apply, Index, Length, Number, Reduce, Size, at
from runtime.loops.tensor import Tensor
from runtime.loops.tracer import Tracer, all_of
from runtime.loops.trim import NoNest

Attrs = Mapping[str, Any]


def product_sum(tracer: Tracer, a: int, b: int, axes: Sequence[str], dtype: str) -> int:
    value = tracer.writer.add(Apply("multiply", (a, b), dtype))
    return tracer.writer.add(Reduce("sum", value, tuple(axes), dtype)) if axes else value


@family("size")
def size(lowering: Lowering, node: Node, attrs: Attrs) -> None:
    """A length as a number."""
    tracer = Tracer()
    (result,) = node.outputs
    dim, dtype = attrs["dim"], lowering.dtype(result)
    number = Number(dim, dtype) if isinstance(dim, int) else Length(dim, dtype)
    lowering.store(tracer, result, (), tracer.writer.add(number))
    lowering.finish(tracer, node)


@family("matmul")
def matmul(lowering: Lowering, node: Node, attrs: Attrs) -> None:
    """[..., m, k] · [..., k, n], with axes in front that are broadcast."""
    tracer = Tracer()
    a, b = (lowering.tensor(id, tracer) for id in node.inputs)
    (result,) = node.outputs
    if a.ndim < 2 or b.ndim < 2:
        raise NoNest("matmul of vectors")
    index = all_of(tracer, lowering.shape(result))
    k = tracer.writer.axis(a.shape[-1], "k")
    left = (*fitted(index[:-2], a), index[-2], *at(k))
    right = (*fitted(index[:-2], b), *at(k), index[-1])
    value = product_sum(tracer, a.read(left), b.read(right), [k], lowering.dtype(result))
    lowering.store(tracer, result, index, value)
    lowering.finish(tracer, node)


def fitted(lead: Index, x: Tensor) -> Index:
    """The index of the axes in front of an operand that is broadcast."""
    rank = x.ndim - 2
    return tuple(Affine() if size == 1 else item for item, size in zip(lead[len(lead) - rank :], x.shape[:rank], strict=True))


Term = tuple[Callable[[Tracer], Tensor], str]


@family("einsum")
def einsum(lowering: Lowering, node: Node, attrs: Attrs) -> None:
    """Two tensors at a time: the letters that neither a later tensor nor the result has are summed at once."""
    terms, result = letters_of(attrs["equation"], [len(lowering.shape(id)) for id in node.inputs])
    left: list[Term] = [(partial(lowering.tensor, id), term) for id, term in zip(node.inputs, terms, strict=True)]
    while len(left) > 2:
        later = {*result, *(letter for _, term in left[2:] for letter in term)}
        kept = "".join(letter for letter in dict.fromkeys(left[0][1] + left[1][1]) if letter in later)
        tracer = Tracer()
        value = contracted(tracer, left[:2], kept)
        name = f"%{node.outputs[0]}.{len(left)}"
        lowering.written(node, name, tracer, value)
        left = [(partial(Tracer.array, name=name, shape=value.shape, dtype=value.dtype), kept), *left[2:]]
    tracer = Tracer()
    index = all_of(tracer, lowering.shape(node.outputs[0]))
    lowering.store(tracer, node.outputs[0], index, contracted(tracer, left, result).read(index))
    lowering.finish(tracer, node)


def contracted(tracer: Tracer, terms: Sequence[Term], result: str) -> Tensor:
    """One axis for each letter; a letter that stands twice in a term lies on a diagonal."""
    xs = [(read(tracer), term) for read, term in terms]
    sizes: dict[str, Size] = {letter: size for x, term in xs for letter, size in zip(term, x.shape, strict=True)}
    summed = {letter: tracer.writer.axis(size, letter) for letter, size in sizes.items() if letter not in result}
    dtype = xs[0][0].dtype

    def read(index: Index) -> int:
        places = {**dict(zip(result, index, strict=True)), **{letter: Affine.of({axis: 1}) for letter, axis in summed.items()}}
        values = [x.read(tuple(places[letter] for letter in term)) for x, term in xs]
        value = values[0] if len(values) == 1 else tracer.writer.add(Apply("multiply", (values[0], values[1]), dtype.name))
        return tracer.writer.add(Reduce("sum", value, tuple(summed.values()), dtype.name)) if summed else value

    return Tensor(tracer, tuple(sizes[letter] for letter in result), dtype, read)
