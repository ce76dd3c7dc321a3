"""The dispatchers: expressions and statements by the kind of their node.

The handlers stand in `expressions.py` and `statements.py`, which fill the tables; every module evaluates through here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dslc.elaborate import errors
from dslc.elaborate.frame import Frame
from dslc.elaborate.numbers import MOST_ITEMS
from dslc.elaborate.session import MOST_DEPTH
from dslc.elaborate.values import POISON, Binding, NetworkValue, Poison, Several, Value, is_scalar, leaves, words_of
from dslc.elaborate.walk import bound_names
from dslc.ops.value import Val
from dslc.source import Span
from dslc.syntax import ast

EXPRESSIONS: dict[type[ast.Node], Callable[[Frame, Any, str], Value]] = {}
STATEMENTS: dict[type[ast.Node], Callable[[Frame, Any], Any]] = {}
Result = tuple[Value, ...] | None

FRAMES = 3  # Python frames that one level of an expression takes


def evaluate(frame: Frame, node: ast.Expr, want: str = "") -> Value:
    """The value of an expression. `want`: the type that is expected, where it decides what a name means (`init`, `layer`, `several`)."""
    session = frame.session
    session.steps += 1  # as `step` does, without its price
    if session.steps > session.most_steps:
        session.step(node.span, 0)
    session.depth += FRAMES  # as `deeper` does: Stopped ends everything, so nothing is undone on the way out
    if session.depth > MOST_DEPTH:
        session.stop(errors.TooComplex(span=node.span))
    value = EXPRESSIONS[type(node)](frame, node, want)
    session.depth -= FRAMES
    if value.__class__ is tuple:
        session.work(node.span, leaves(value, MOST_ITEMS))
    if isinstance(value, Several) and want != "several":
        return frame.report(errors.SeveralResults(span=node.span, callee=node.span.text[:40], count=str(len(value.values))))
    return value


def tensor(frame: Frame, node: ast.Expr) -> Value:
    """A tensor, or a number that stands for one of rank 0; POISON otherwise."""
    return as_tensor(frame, evaluate(frame, node), node.span)


def as_tensor(frame: Frame, value: Value, span: Span, written: Span | str | None = None) -> Value:
    """The value where a tensor is wanted: a called network or a string is an error. `written`: what messages call it, else `span`."""
    if isinstance(value, (Val, Poison)) or is_scalar(value):
        return value
    name = written if isinstance(written, str) else (written or span).text
    if isinstance(value, NetworkValue):
        outputs = ", ".join(f"`{short(name)}.{output}`" for output in value.outputs)
        return frame.report(errors.NetworkAsValue(span=span, name=short(name), outputs=outputs or f"`{short(name)}.NAME`"))
    return frame.report(errors.WrongType(span=span, what=f"`{short(name)}`", wanted="a tensor", found=words_of(value)))


def short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 40 else line[:37] + "…"


# ---- statements ---------------------------------------------------------------------------------------------------------------


def run_body(frame: Frame, body: ast.Body) -> Result:
    """Run statements in order; the values of `return`, if one is met."""
    return run(frame, body.statements)


def run(frame: Frame, statements: Sequence[ast.Statement]) -> Result:
    for statement in statements:
        frame.session.step(statement.span)
        if id(statement) in frame.session.misplaced:
            for name in bound_names((statement,)):
                frame.scope.assign(name, Binding(POISON, statement.span))
            continue
        handler = STATEMENTS.get(type(statement))
        result = handler(frame, statement) if handler is not None else None
        if result is not None:
            return result  # type: ignore[no-any-return]
    return None
