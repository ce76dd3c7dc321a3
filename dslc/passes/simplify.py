"""Local algebra and the removal of movements that move nothing.

All rules keep every bit of the result, with these documented exceptions, which only touch special values or the last bit:
`x + 0` keeps the sign of a negative zero, `x ^ 2` is `x * x` (correctly rounded), and `x ^ 0.5` is `sqrt(x)` (x >= 0 is the row's domain).
`x * 0` stays: it is not 0 for inf and nan.

before:
    graph G {
      %0: f32[n, 3] = input x
      %1: f32[] = constant() {value=2.0, dtype=f32} "constant0"
      %2: f32[n, 3] = pow(%0, %1) "pow0"
      %3: f32[3, n] = transpose(%2) {axes=(1, 0)} "transpose0"
      %4: f32[n, 3] = transpose(%3) {axes=(1, 0)} "transpose1"
      output y = %4
    }
after:
    graph G {
      %0: f32[n, 3] = input x
      %1: f32[] = constant() {value=2.0, dtype=f32} "constant0"
      %2: f32[n, 3] = multiply(%0, %0) "pow0"
      %3: f32[3, n] = transpose(%2) {axes=(1, 0)} "transpose0"
      output y = %2
    }
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import frexp
from typing import Any

from dslc.ir.graph import Graph, Node
from dslc.ir.types import Dim, DType
from dslc.ops.support import attr_shape, normal_axes, reshape
from dslc.ops.table import lookup
from dslc.ops.value import F, Val
from dslc.passes.rewrite import Rewriter


def simplify(graph: Graph) -> Graph:
    """One walk: inputs of a node are simple already, so chains of any length collapse in it."""
    rewriter = Rewriter(graph)
    for node in graph.nodes:
        value = first(Site(rewriter, node))
        if value is None:
            rewriter.keep(node)
        else:
            rewriter.replace(node, (value,))
    return rewriter.finish()


class Site:
    """A node under consideration: its inputs in the new graph, and what is known about them."""

    def __init__(self, rewriter: Rewriter, node: Node) -> None:
        self.rewriter = rewriter
        self.node = node
        self.inputs = rewriter.inputs(node)
        self.type = rewriter.graph.types[node.outputs[0]]

    def attr(self, name: str) -> Any:
        return self.node.attrs[name]

    def maker(self, value: Val, op: str) -> Node | None:
        """The node that makes `value` if it is an application of `op`."""
        node = self.rewriter.maker.get(value.id)
        return node if node is not None and node.op == op else None

    def number(self, value: Val) -> float | None:
        """The number of a rank-0 constant."""
        node = self.maker(value, "constant")
        if node is None or value.type.rank:
            return None
        number: Any = node.attrs["value"]
        return number  # type: ignore[no-any-return]

    def val(self, id: int) -> Val:
        return Val(self.rewriter.builder, id)

    def same(self, value: Val) -> Val | None:
        """`value`, if it has the type of the node's result."""
        return value if value.type == self.type else None


Rule = Callable[[Site], Val | None]


def first(site: Site) -> Val | None:
    """The result of the first rule that applies."""
    for rule in RULES.get(site.node.op, ()):
        value = site.rewriter.emitting(site.node, partial(rule, site))
        if value is not None:
            return value
    if lookup(site.node.op).kind == "elementwise":
        return site.rewriter.emitting(site.node, partial(without_broadcasts, site))
    return None


# ---- arithmetic ---------------------------------------------------------------------------------------------------------------


def neutral(number: float, sides: Sequence[int]) -> Rule:
    """The other operand, where the operand on one of `sides` is `number`."""

    def rule(site: Site) -> Val | None:
        for side in sides:
            if site.number(site.inputs[side]) == number and (value := site.same(site.inputs[1 - side])) is not None:
                return value
        return None

    return rule


def minus_one(site: Site) -> Val | None:
    """x · -1 = -x"""
    for side in (0, 1):
        if site.number(site.inputs[side]) == -1 and (value := site.same(site.inputs[1 - side])) is not None:
            return -value
    return None


def add_negative(site: Site) -> Val | None:
    """x + (-y) = x - y,  (-y) + x = x - y"""
    for side in (1, 0):
        node = site.maker(site.inputs[side], "negative")
        if node is not None:
            return site.inputs[1 - side] - site.val(node.inputs[0])
    return None


def subtract_negative(site: Site) -> Val | None:
    """x - (-y) = x + y"""
    node = site.maker(site.inputs[1], "negative")
    return None if node is None else site.inputs[0] + site.val(node.inputs[0])


def negative_negative(site: Site) -> Val | None:
    """-(-x) = x"""
    node = site.maker(site.inputs[0], "negative")
    return None if node is None else site.val(node.inputs[0])


def divide_power_of_two(site: Site) -> Val | None:
    """x / 2ᵏ = x · 2⁻ᵏ, exactly."""
    number = site.number(site.inputs[1])
    if not number or abs(number) == 1:
        return None
    mantissa, exponent = frexp(number)
    return site.inputs[0] * (1 / number) if abs(mantissa) == 0.5 and abs(exponent) < 100 else None


def power(site: Site) -> Val | None:
    """x ^ 1 = x,  x ^ 2 = x · x,  x ^ 0.5 = √x,  x ^ -1 = 1 / x"""
    x, exponent = site.inputs
    number = site.number(exponent)
    if number is None or x.type != site.type or number not in POWERS:
        return None
    return POWERS[number](x)


POWERS: dict[float, Callable[[Val], Val]] = {
    1.0: lambda x: x,
    2.0: lambda x: x * x,
    0.5: lambda x: F.sqrt(x),
    -1.0: lambda x: 1 / x,
}


def same_arms(site: Site) -> Val | None:
    """where(c, x, x) = x"""
    _, a, b = site.inputs
    return site.same(a) if a.id == b.id else None


def own_dtype(site: Site) -> Val | None:
    """cast(x: f32, f32) = x"""
    return site.same(site.inputs[0])


def there_and_back(site: Site) -> Val | None:
    """cast(cast(x: f32, f64), f32) = x: the wider type holds every value of the narrower."""
    node = site.maker(site.inputs[0], "cast")
    if node is None:
        return None
    source = site.val(node.inputs[0])
    return site.same(source) if (source.type.dtype, site.inputs[0].type.dtype) in WIDER else None


WIDER = {
    (DType.f32, DType.f64),
    (DType.i32, DType.i64),
    (DType.i32, DType.f64),
    *((DType.u8, wide) for wide in (DType.f32, DType.f64, DType.i32, DType.i64, DType.u64)),
    *((DType.bool, wide) for wide in (DType.f32, DType.f64, DType.i32, DType.i64, DType.u8, DType.u64)),
}


def without_broadcasts(site: Site) -> Val | None:
    """An elementwise operator repeats its operands itself: f(x, broadcast(y)) = f(x, y), and f(broadcast(y)) = broadcast(f(y))."""
    makers = [site.maker(value, "broadcast") for value in site.inputs]
    if not any(makers):
        return None
    inputs = [site.val(node.inputs[0]) if node else value for value, node in zip(site.inputs, makers, strict=True)]
    small = site.rewriter.builder.emit(site.node.op, inputs, site.node.attrs)[0]
    return small if small.type == site.type else F.broadcast(small, shape=attr_shape(site.type.shape))


# ---- movement -----------------------------------------------------------------------------------------------------------------


def own_shape(site: Site) -> Val | None:
    return site.same(site.inputs[0])


def reshape_reshape(site: Site) -> Val | None:
    """reshape(reshape(x, s), t) = reshape(x, t); `flatten` is a reshape"""
    node = site.maker(site.inputs[0], "reshape") or site.maker(site.inputs[0], "flatten")
    if node is None:
        return None
    source = site.val(node.inputs[0])
    return source if source.type == site.type else reshape(source, attr_shape(site.type.shape))


def units(site: Site) -> Val | None:
    """`squeeze` and `unsqueeze` are reshapes"""
    return own_shape(site) or reshape(site.inputs[0], attr_shape(site.type.shape))


def order(axes: Any, rank: int) -> tuple[int, ...]:
    """The permutation that `transpose(x, axes)` means; without axes the last two are swapped."""
    return (*range(rank - 2), rank - 1, rank - 2) if axes is None else tuple(a % rank for a in axes)


def transpose_identity(site: Site) -> Val | None:
    rank = site.type.rank
    return site.inputs[0] if order(site.attr("axes"), rank) == tuple(range(rank)) else None


def transpose_transpose(site: Site) -> Val | None:
    """transpose(transpose(x, p), q) = transpose(x, p∘q)"""
    node = site.maker(site.inputs[0], "transpose")
    if node is None:
        return None
    rank = site.type.rank
    inner, outer = order(node.attrs["axes"], rank), order(site.attr("axes"), rank)
    both = tuple(inner[a] for a in outer)
    source = site.val(node.inputs[0])
    return source if both == tuple(range(rank)) else F.transpose(source, axes=both)


def transpose_of_units(site: Site) -> Val | None:
    """A transpose that only moves axes of size 1 is a reshape."""
    x = site.inputs[0]
    unit = Dim.of(1)
    moved = [a for a in order(site.attr("axes"), x.type.rank) if x.type.shape[a] != unit]
    return reshape(x, attr_shape(site.type.shape)) if moved == sorted(moved) else None


def broadcast_broadcast(site: Site) -> Val | None:
    """broadcast(broadcast(x, s), t) = broadcast(x, t)"""
    node = site.maker(site.inputs[0], "broadcast")
    return None if node is None else F.broadcast(site.val(node.inputs[0]), shape=attr_shape(site.type.shape))


def reduce_nothing(site: Site) -> Val | None:
    """A sum, mean, maximum or minimum over axes of size 1 only is a reshape, unless a mask leaves values out."""
    x = site.inputs[0]
    if len(site.inputs) > 1 or any(x.type.shape[a] != Dim.of(1) for a in normal_axes(site.attr("axis"), x.type.rank)):
        return None
    return x if x.type == site.type else reshape(x, attr_shape(site.type.shape))


def join_of_one(site: Site) -> Val | None:
    """concat([x]) = x, and stack([x]) is a reshape."""
    if len(site.inputs) > 1:
        return None
    return site.same(site.inputs[0]) or reshape(site.inputs[0], attr_shape(site.type.shape))


RULES: dict[str, tuple[Rule, ...]] = {
    "add": (neutral(0, (0, 1)), add_negative),
    "subtract": (neutral(0, (1,)), subtract_negative),
    "multiply": (neutral(1, (0, 1)), minus_one),
    "divide": (neutral(1, (1,)), divide_power_of_two),
    "pow": (power,),
    "negative": (negative_negative,),
    "where": (same_arms,),
    "cast": (own_dtype, there_and_back),
    "reshape": (own_shape, reshape_reshape),
    "flatten": (own_shape, reshape_reshape),
    "squeeze": (units,),
    "unsqueeze": (units,),
    "stop_gradient": (own_shape,),  # passes run after differentiation
    "slice": (own_shape,),
    "pad": (own_shape,),
    "split": (own_shape,),  # into one part
    "concat": (join_of_one,),
    "stack": (join_of_one,),
    "transpose": (transpose_identity, transpose_transpose, transpose_of_units),
    "broadcast": (own_shape, broadcast_broadcast),
    "sum": (reduce_nothing,),
    "mean": (reduce_nothing,),
    "max": (reduce_nothing,),
    "min": (reduce_nothing,),
}
