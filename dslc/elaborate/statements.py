"""Executing statements: assignments, `for`, `if`, layers, returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dslc.elaborate import errors, layers, scans, weights
from dslc.elaborate.calls import Site
from dslc.elaborate.evaluation import STATEMENTS, Result, evaluate, run_body
from dslc.elaborate.expressions import condition, path_of
from dslc.elaborate.frame import Frame
from dslc.elaborate.names import callee
from dslc.elaborate.scope import Scope
from dslc.elaborate.session import LETTERS, SCOPES
from dslc.elaborate.values import (
    POISON,
    Binding,
    BlockValue,
    LayerValue,
    OperatorValue,
    Poison,
    Several,
    Value,
    counted,
    is_int,
    is_number,
    is_poison,
    words_of,
)
from dslc.elaborate.walk import bound_names
from dslc.ir.types import Dim
from dslc.syntax import ast

# ---- names -------------------------------------------------------------------------------------------------------------------


def assign(frame: Frame, node: ast.Assign) -> None:
    """`a = e`, `a, b = f(x)`, `a, b = e1, e2`, `ys = scan …`."""
    if isinstance(node.values, ast.Scan):
        values: Sequence[Value] = scans.run_scan(frame, node.values, node)
    elif len(node.values) == 1:
        if frame.body is not None and len(node.names) == 1 and frame.body.source(frame, node.names[0], node.values[0]):
            return
        value = evaluate(frame, node.values[0], "several")
        values = value.values if isinstance(value, Several) else (value,)
    else:
        values = tuple(evaluate(frame, value) for value in node.values)
    if len(values) != len(node.names):
        if not is_poison(*values):
            frame.report(errors.ResultCount(span=node.span, names=counted(len(node.names), "name"), given=counted(len(values), "value")))
        values = (POISON,) * len(node.names)
    for name, value in zip(node.names, values, strict=True):
        if name.id != "_":
            frame.scope.assign(name.id, Binding(value, name.span))


def layer(frame: Frame, node: ast.Layer) -> None:
    frame.scope.declare(node.name.id, Binding(layer_value(frame, node), node.name.span, "layer"))


def layer_value(frame: Frame, node: ast.Layer) -> Value:
    """`layer f = g(settings)`."""
    value = node.value
    while isinstance(value, ast.Paren):
        value = value.value
    func = value.func if isinstance(value, ast.Call) else value
    path = path_of(func)
    if path is None:
        return frame.report(errors.NotALayer(span=node.value.span, what="this"))
    target = callee(frame, path)
    if isinstance(target, (LayerValue, Poison)) or not isinstance(target, (BlockValue, OperatorValue)):
        if isinstance(target, Poison):
            return POISON
        return frame.report(errors.NotALayer(span=func.span, what=words_of(target)))
    args = value.args if isinstance(value, ast.Call) else ()
    return layers.layer(frame, target, Site(path=path, args=args, span=value.span, node=value), frame.at(node.name.id))


def poison(frame: Frame, statements: Sequence[ast.Statement]) -> None:
    """What the statements would bind is unknown."""
    for name in bound_names(statements):
        binding = frame.scope.find(name)
        span = binding.span if binding is not None else statements[0].span
        frame.scope.assign(name, Binding(POISON, span))


def broken(frame: Frame, node: ast.Error) -> None:
    """The names that it would have bound; a size that is bound already, or a name of the file, is only read."""
    for name in node.names:
        known = frame.scope.find(name)
        if frame.file.find(name) is None and (known is None or known.kind != "dim"):
            frame.scope.assign(name, Binding(POISON, node.span))


# ---- control -------------------------------------------------------------------------------------------------------------------


def for_(frame: Frame, node: ast.For) -> Result:
    """Unrolled at compile time; each turn has a body of its own and its value in the address."""
    items = loop_items(frame, node)
    if items is None:
        poison(frame, node.body.statements)
        return None
    for label, value in items:
        frame.session.step(node.span, 2 + frame.scope.depth // SCOPES + len(frame.address) // LETTERS)
        scope = Scope(frame.scope)
        if node.name.id != "_":
            scope.declare(node.name.id, Binding(value, node.name.span, "loop"))
        turns = (*frame.turns, (node.name, value)) if is_number(value) else frame.turns
        inner = frame.inside(scope=scope, address=frame.at(f"{node.name.id}{label}"), turns=turns)
        result = run_body(inner, node.body)
        if result is not None:
            return result
    return None


def loop_items(frame: Frame, node: ast.For) -> Any:
    """(address part, value) for each turn; None (reported) if they are not known."""
    low = evaluate(frame, node.low)
    if node.high is None:
        if isinstance(low, tuple):
            return enumerate(low)
        if not isinstance(low, Poison):
            wrong(frame, node.low, low)
        return None
    high = evaluate(frame, node.high)
    if isinstance(low, Poison) or isinstance(high, Poison):
        return None
    for expr, value in ((node.low, low), (node.high, high)):
        if not is_int(value):
            wrong(frame, expr, value)
            return None
    return ((number, number) for number in range(low, high))


def wrong(frame: Frame, node: ast.Expr, value: Value) -> None:
    if isinstance(value, Dim):
        frame.report(errors.NeedsScan(span=node.span, what=f"`{node.span.text}`"))
    else:
        frame.report(errors.NotAList(span=node.span, found=words_of(value)))


def if_(frame: Frame, node: ast.If) -> Result:
    """The arm whose condition holds; names that it makes are local to it."""
    for test, body in node.arms:
        value = condition(frame, test)
        if isinstance(value, Poison):
            for _, arm in node.arms:
                poison(frame, arm.statements)
            poison(frame, node.other.statements if node.other is not None else ())
            return None
        if value:
            return run_body(frame.inside(), body)
    return run_body(frame.inside(), node.other) if node.other is not None else None


def return_(frame: Frame, node: ast.Return) -> Result:
    if len(node.values) == 1:
        value = evaluate(frame, node.values[0], "several")
        return value.values if isinstance(value, Several) else (value,)
    return tuple(evaluate(frame, value) for value in node.values)


# ---- bodies of networks, train and generate ------------------------------------------------------------------------------------


def to_body(name: str) -> Callable[[Frame, Any], None]:
    """A statement that the body under construction takes (`input`, `output`, a setting, `step`, `rule`)."""

    def handle(frame: Frame, node: Any) -> None:
        handler = getattr(frame.body, name, None)
        if handler is not None:
            handler(frame, node)

    return handle


def value(frame: Frame, node: ast.Value) -> None:
    frame.report(errors.BareValue(span=node.span))
    evaluate(frame, node.value, "several")


HANDLERS: dict[type[ast.Node], Callable[[Frame, Any], Any]] = {
    ast.Assign: assign,
    ast.Layer: layer,
    ast.For: for_,
    ast.If: if_,
    ast.Return: return_,
    ast.Weight: weights.weight,
    ast.State: weights.state,
    ast.Update: weights.update,
    ast.Input: to_body("input"),
    ast.Output: to_body("output"),
    ast.Setting: to_body("setting"),
    ast.Step: to_body("step"),
    ast.Rule: to_body("rule"),
    ast.Carry: scans.carry,
    ast.Yield: scans.yield_,
    ast.Value: value,
    ast.Error: broken,
}
STATEMENTS.update(HANDLERS)
