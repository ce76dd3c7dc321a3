"""Evaluating expressions: one small function for each kind of node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dslc.elaborate import apply, errors, fields, index, initialisers, names, numbers
from dslc.elaborate.calls import Site, call
from dslc.elaborate.evaluation import EXPRESSIONS, as_tensor, evaluate, short
from dslc.elaborate.frame import Frame
from dslc.elaborate.session import TERMS
from dslc.elaborate.values import (
    POISON,
    BlockValue,
    Group,
    LayerValue,
    NetworkValue,
    OperatorValue,
    Poison,
    Several,
    Value,
    is_number,
    is_poison,
    size,
    words_of,
)
from dslc.ir.types import Dim, DType
from dslc.ops.value import Val
from dslc.source import Span
from dslc.syntax import ast

MOST_NESTED = 64


# ---- leaves -----------------------------------------------------------------------------------------------------------------


def literal(frame: Frame, node: Any, want: str) -> Value:
    return node.value


def name(frame: Frame, node: ast.Name, want: str) -> Value:
    if want == "init":
        found = initialisers.named(frame, node)
        if found is not None:
            return found
    if want == "layer":
        return layer_of(frame, node)
    return names.value(frame, node)


def layer_of(frame: Frame, node: ast.Name) -> Value:
    """A layer, or a block or operator that becomes one by its bare name."""
    found = names.callee(frame, (node,))
    if isinstance(found, (BlockValue, OperatorValue)):
        return call(frame, Site(path=(node,), args=(), span=node.span, node=node), "layer")
    return found if isinstance(found, LayerValue) else names.value(frame, node)


def paren(frame: Frame, node: ast.Paren, want: str) -> Value:
    return evaluate(frame, node.value, want)


def list_value(frame: Frame, node: ast.List, want: str) -> Value:
    inner = want[5:-1] if want.startswith("list[") else ""
    items: list[Value] = []
    for item in node.items:
        if isinstance(item, ast.Rest):
            group = names.value(frame, item.name)
            if isinstance(group, Group):
                items += [size(dim) for dim in group.dims]
            elif isinstance(group, tuple):
                items += group
            elif group is not POISON:
                frame.report(errors.WrongType(span=item.span, what=f"`{item.name.id}`", wanted="a group of axes", found=words_of(group)))
                return POISON
        else:
            items.append(evaluate(frame, item, inner))
    try:
        found = numbers.listed(tuple(items))
    except numbers.Failed as failed:
        return frame.report(errors.NumberTooLarge(span=node.span, what=failed.text))
    if depth(found) > MOST_NESTED:
        return frame.report(errors.NumberTooLarge(span=node.span, what=f"lists are nested at most {MOST_NESTED} deep"))
    return found


def depth(value: Value) -> int:
    """How deep lists are nested; no list is deeper than MOST_NESTED, so that this ends."""
    return 1 + max(map(depth, value), default=0) if isinstance(value, (tuple, list)) else 0


def field(frame: Frame, node: ast.Field, want: str) -> Value:
    if isinstance(node.value, ast.Name) and node.value.id in ("op", "std") and frame.scope.find(node.value.id) is None:
        found = names.callee(frame, (node.value, node.name))
        if want == "layer" and isinstance(found, (BlockValue, OperatorValue)):
            return call(frame, Site(path=(node.value, node.name), args=(), span=node.span, node=node.name), "layer")
        if isinstance(found, Poison):
            return POISON
        return frame.report(errors.WrongType(span=node.span, what=f"`{node.span.text}`", wanted="called", found=words_of(found)))
    return fields.read(frame, evaluate(frame, node.value, "owner"), node)


def index_value(frame: Frame, node: ast.Index, want: str) -> Value:
    return index.read(frame, evaluate(frame, node.value), node)


# ---- calls ------------------------------------------------------------------------------------------------------------------


def path_of(node: ast.Expr) -> tuple[ast.Name, ...] | None:
    """`a.b.c` as its names; None for anything else."""
    found: list[ast.Name] = []
    while isinstance(node, ast.Field):
        found.append(node.name)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return (node, *reversed(found))


def call_value(frame: Frame, node: ast.Call, want: str) -> Value:
    if want == "init":
        found = initialisers.called(frame, node)
        if found is not None:
            return found
    path = path_of(node.func)
    if path is None:
        return frame.report(errors.NotCallable(span=node.func.span, name=short(node.func.span.text), what="no name of a block or function"))
    return call(frame, Site(path=path, args=node.args, span=node.span, node=node), want)


def pipe(frame: Frame, node: ast.Pipe, want: str) -> Value:
    """`x -> f(a) -> g` is `g(f(x, a))`."""
    value = evaluate(frame, node.first)
    span = node.first.span
    for at, stage in enumerate(node.stages):
        last = at == len(node.stages) - 1
        frame.session.step(stage.span)
        site = Site(
            path=stage.path, args=stage.args or (), span=stage.span, node=stage, piped=(value, span, node.first if at == 0 else None),
            alias=stage.alias, last=last,
        )  # fmt: skip
        value = call(frame, site, want if last else "")
        if isinstance(value, Several) and not last:
            value = frame.report(
                errors.SeveralResults(span=stage.span, callee=".".join(part.id for part in stage.path), count=str(len(value.values)))
            )
        span = node.first.span.to(stage.span)
    return value


# ---- conditions and logic ----------------------------------------------------------------------------------------------------


def condition(frame: Frame, node: ast.Expr) -> bool | Poison:
    """A compile-time truth value."""
    value = evaluate(frame, node)
    if isinstance(value, bool):
        return value
    if isinstance(value, Poison):
        return POISON
    if isinstance(value, Val):
        return frame.report(errors.TensorCondition(span=node.span))
    return frame.report(errors.NotACondition(span=node.span, found=words_of(value)))


def cond(frame: Frame, node: ast.Cond, want: str) -> Value:
    test = condition(frame, node.test)
    if isinstance(test, Poison):
        return POISON
    return evaluate(frame, node.then if test else node.other, want)


def bool_op(frame: Frame, node: ast.BoolOp, want: str) -> Value:
    """`and`, `or`: of compile-time truth values decided from the left, of tensors elementwise."""
    value = evaluate(frame, node.values[0])
    for operand in node.values[1:]:
        if isinstance(value, bool) and value == (node.op == "or"):
            return value
        other = evaluate(frame, operand)
        if is_poison(value) or is_poison(other):
            value = POISON
            continue
        if isinstance(value, bool) and isinstance(other, bool):
            value = other
            continue
        if not (isinstance(value, Val) or isinstance(other, Val)):
            return frame.report(errors.BadOperands(span=node.span, op=node.op, left=words_of(value), right=words_of(other)))
        value = apply.binary(frame, node.op, value, other, node.span, (node.values[0].span, operand.span))
    return value


def not_value(frame: Frame, node: ast.Not, want: str) -> Value:
    value = evaluate(frame, node.value)
    if isinstance(value, (bool, Poison)):
        return value if isinstance(value, Poison) else not value
    if isinstance(value, Val):
        return apply.unary(frame, "logical_not", value, node.span)
    return frame.report(errors.BadOperand(span=node.value.span, op="not", found=words_of(value)))


def compare(frame: Frame, node: ast.Compare, want: str) -> Value:
    left, right = evaluate(frame, node.left), evaluate(frame, node.right)
    spans = (node.left.span, node.right.span)
    if is_poison(left, right):
        return POISON if node.op in ("==", "!=") else beside_poison(frame, node.op, (left, right), spans)
    if isinstance(left, Val) or isinstance(right, Val):
        return apply.binary(frame, node.op, left, right, node.span, spans)
    frame.session.work(node.span, numbers.doubt(left, right), TERMS)
    try:
        return numbers.compare(node.op, left, right)
    except numbers.Failed as failed:
        if failed.kind == "condition":
            return frame.report(errors.SymbolicCondition(span=node.span, text=numbers.shown(node.op, left, right)))
        return frame.report(errors.BadOperands(span=node.span, op=node.op, left=words_of(left), right=words_of(right)))


# ---- arithmetic --------------------------------------------------------------------------------------------------------------


def arithmetic(frame: Frame, op: str, left: Value, right: Value, span: Span, spans: tuple[Span, Span]) -> Value:
    """`left op right` of any two values."""
    for value, place in ((left, spans[0]), (right, spans[1])):
        if isinstance(value, NetworkValue):
            return as_tensor(frame, value, place)
    if left is POISON or right is POISON:
        return beside_poison(frame, op, (left, right), spans)
    if isinstance(left, Val) or isinstance(right, Val):
        return apply.binary(frame, op, left, right, span, spans)
    if isinstance(left, tuple) and isinstance(right, tuple):
        frame.session.work(span, len(left) + len(right))
    elif isinstance(left, Dim) or isinstance(right, Dim):
        frame.session.work(span, numbers.cost(op, left, right), TERMS)
    try:
        return numbers.arithmetic(op, left, right)
    except numbers.Failed as failed:
        return frame.report(failure(failed, op, left, right, span))


def beside_poison(frame: Frame, op: str, values: tuple[Value, Value], spans: tuple[Span, Span]) -> Value:
    """An operation of which one operand failed: a string is wrong whatever stands beside it."""
    for value, place in zip(values, spans, strict=True):
        if isinstance(value, str) and not isinstance(value, DType):
            frame.report(errors.BadOperand(span=place, op=op, found=words_of(value)))
    return POISON


def failure(failed: numbers.Failed, op: str, left: Value, right: Value, span: Span) -> Any:
    """The diagnostic for an operation without a value."""
    if failed.kind == "zero":
        return errors.DivisionByZero(span=span)
    if failed.kind in ("large", "domain"):
        return errors.NumberTooLarge(span=span, what=failed.text)
    if failed.kind == "symbolic":
        return errors.SymbolicDivision(span=span, text=numbers.shown(op, left, right))
    return errors.BadOperands(span=span, op=op, left=words_of(left), right=words_of(right))


def arith(frame: Frame, node: ast.Arith, want: str) -> Value:
    value = evaluate(frame, node.first)
    start = node.first.span
    for term in node.terms:
        frame.session.step(term.span)
        other = evaluate(frame, term.value)
        value = arithmetic(frame, term.op, value, other, start.to(term.value.span), (start, term.value.span))
        start = start.to(term.value.span)
    return value


def neg(frame: Frame, node: ast.Neg, want: str) -> Value:
    value = evaluate(frame, node.value)
    if isinstance(value, Poison):
        return POISON
    if isinstance(value, Val):
        return apply.negated(frame, value, node.span)
    if is_number(value) or isinstance(value, Dim):
        return arithmetic(frame, "*", value, -1, node.span, (node.span, node.span)) if isinstance(value, Dim) else -value
    return frame.report(errors.BadOperand(span=node.value.span, op="-", found=words_of(value)))


def power(frame: Frame, node: ast.Power, want: str) -> Value:
    base, exponent = evaluate(frame, node.base), evaluate(frame, node.exponent)
    return arithmetic(frame, "^", base, exponent, node.span, (node.base.span, node.exponent.span))


HANDLERS: dict[type[ast.Node], Callable[[Frame, Any, str], Value]] = {
    ast.Name: name,
    ast.Int: literal,
    ast.Float: literal,
    ast.String: literal,
    ast.Bool: literal,
    ast.List: list_value,
    ast.Paren: paren,
    ast.Pipe: pipe,
    ast.Cond: cond,
    ast.BoolOp: bool_op,
    ast.Not: not_value,
    ast.Compare: compare,
    ast.Arith: arith,
    ast.Neg: neg,
    ast.Power: power,
    ast.Call: call_value,
    ast.Index: index_value,
    ast.Field: field,
}
EXPRESSIONS.update(HANDLERS)
