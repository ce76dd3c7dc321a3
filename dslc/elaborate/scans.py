"""`scan`: the run-time loop. Its body is a graph of its own; values from outside are captured as inputs of that graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from dslc.diagnostics import Label
from dslc.elaborate import apply, errors, patterns
from dslc.elaborate.evaluation import evaluate, run_body
from dslc.elaborate.frame import Frame
from dslc.elaborate.scope import Scope
from dslc.elaborate.session import SCAN
from dslc.elaborate.tape import Tape
from dslc.elaborate.values import POISON, Binding, Poison, Value, counted, is_poison, is_scalar, size, words_of
from dslc.ir.graph import Graph
from dslc.ir.types import Dim, TensorType
from dslc.ops.value import Builder, Val
from dslc.source import Span
from dslc.syntax import ast


@dataclass
class Carried:
    """A value that goes from step to step: `start` in the graph around, `inner` in the body."""

    name: ast.Name
    start: Val
    inner: Val


@dataclass
class ScanBody:
    """The scan under construction."""

    outer: Frame
    over: Dim
    carried: list[Carried] = field(default_factory=list)
    yields: list[Value] | None = None
    failed: bool = False

    def source(self, frame: Frame, name: ast.Name, value: ast.Expr) -> bool:
        return False


def run_scan(frame: Frame, node: ast.Scan, statement: ast.Assign) -> Sequence[Value]:
    """All that `yield` gave, stacked along the axis after `batch`; carried names have their final values afterwards."""
    failed = (POISON,) * len(statement.names)
    frame.session.step(node.span, SCAN)
    sequences = [evaluate(frame, value) for value in node.values]
    lengths = scan_lengths(frame, node)
    over = scan_size(frame, node)
    if len(node.names) != len(node.values):
        frame.report(errors.ResultCount(span=node.span, names=counted(len(node.names), "name"), given=counted(len(node.values), "value")))
        return failed
    if over is None or is_poison(*sequences):
        poison_carried(frame, node)
        return failed
    builder = Builder(f"{frame.name}/scan")
    tape = Tape(builder, frame.training, parent=frame.tape)
    scope = Scope(frame.scope, fence=True)
    body = ScanBody(frame, over)
    inner = frame.inside(scope=scope, tape=tape, body=body, scanning=True)
    good = [slice_of(frame, inner, name, value, expr, over) for name, value, expr in zip(node.names, sequences, node.values, strict=True)]
    if not all(good):
        poison_carried(frame, node)
        return failed
    slices = [item.id for item in builder.inputs]
    run_body(inner, node.body)
    return finish(frame, node, inner, body, [value for value in sequences if isinstance(value, Val)], slices, lengths)


def scan_size(frame: Frame, node: ast.Scan) -> Dim | None:
    """The number of steps: a dim or an int."""
    if isinstance(node.over, ast.Int):
        return Dim.of(node.over.value)
    value = evaluate(frame, node.over)
    if isinstance(value, (int, Dim)) and not isinstance(value, bool):
        return Dim.of(value)
    if not isinstance(value, Poison):
        frame.report(errors.WrongType(span=node.over.span, what=f"`{node.over.id}`", wanted="a dim", found=words_of(value)))
    return None


def scan_lengths(frame: Frame, node: ast.Scan) -> Val | None:
    """`scan(lengths=n)`: how many steps count in each sample."""
    found: Val | None = None
    taken = False
    for arg in node.args:
        if arg.name is None:
            frame.report(errors.TooManyArguments(span=arg.span, callee="scan", given="some", takes="none: write `lengths=…`"))
            continue
        if arg.name.id != "lengths":
            frame.report(errors.UnknownArgument(span=arg.span, callee="scan", name=arg.name.id, known="`lengths`"))
            continue
        if taken:
            frame.report(errors.ArgumentTwice(span=arg.span, callee="scan", name="lengths"))
            continue
        taken = True
        value = evaluate(frame, arg.value)
        if isinstance(value, Val) and value.type.rank == 1 and value.type.dtype.is_int:
            found = value
        elif not isinstance(value, Poison):
            wanted = "an integer tensor `i64[batch]`"
            frame.report(errors.WrongKind(span=arg.value.span, callee="scan", name="lengths", wanted=wanted, found=words_of(value)))
    return found


def slice_of(frame: Frame, inner: Frame, name: ast.Name, value: Value, expr: ast.Expr, over: Dim) -> bool:
    """Bind the slice of one sequence: axis 1 is the one that is gone over."""
    if not isinstance(value, Val):
        frame.report(errors.WrongType(span=expr.span, what="what `scan` goes over", wanted="a tensor", found=words_of(value)))
        return False
    if value.type.rank < 2 or value.type.shape[1] != over:
        text = f"`scan` goes over axis 1, `{over}`, and this is {value.type}"
        frame.report(errors.ShapeMismatch(span=expr.span, message_text=text, here=str(value.type)))
        return False
    type = TensorType(dtype=value.type.dtype, shape=(value.type.shape[0], *value.type.shape[2:]))
    inner.scope.declare(name.id, Binding(inner.tape.builder.input("input", name.id, type), name.span))
    return True


# ---- statements of the body ---------------------------------------------------------------------------------------------------


def carry(frame: Frame, node: ast.Carry) -> None:
    """`carry a, b: [batch, n] = 0` starts here; `carry a` goes on from the value of `a` outside."""
    if not isinstance(frame.body, ScanBody):
        return  # in the wrong place (reported)
    body = frame.body
    for name in node.names:
        start = carry_start(frame, body.outer, node, name)
        if not isinstance(start, Val):
            body.failed = True
            frame.scope.declare(name.id, Binding(POISON, name.span))
            continue
        inner = frame.tape.builder.input("input", name.id, start.type)
        body.carried.append(Carried(name, start, inner))
        frame.scope.declare(name.id, Binding(inner, name.span, "carry"))


def carry_start(frame: Frame, outer: Frame, node: ast.Carry, name: ast.Name) -> Value:
    """The value at the first step, in the graph around."""
    if node.init is None:
        binding = outer.scope.find(name.id)
        if binding is None:
            reason = f"`carry {name.id}` has no start: give it one, `carry {name.id}: [batch, n] = 0`"
            return frame.report(errors.BadCarry(span=name.span, name=name.id, reason=reason))
        value: Value = binding.value
        span = name.span
    else:
        value, span = evaluate(outer, node.init), node.init.span
    if isinstance(value, Poison):
        return POISON
    type = patterns.resolve(outer, node.type) if node.type is not None else None
    if node.type is not None and type is None:
        return POISON
    return started(frame, outer, name, value, type, span)


def started(frame: Frame, outer: Frame, name: ast.Name, value: Value, type: TensorType | None, span: Span) -> Value:
    if isinstance(value, Val):
        if type is not None and value.type != type:
            text = f"`{name.id}` is {type}, and starts as {value.type}"
            return frame.report(errors.ShapeMismatch(span=span, message_text=text, here=str(value.type)))
        return value
    if not is_scalar(value):
        what = f"what `{name.id}` starts with"
        return frame.report(errors.WrongType(span=span, what=what, wanted="a number or a tensor", found=words_of(value)))
    if type is None:
        reason = f"`{name.id}` needs a type: `carry {name.id}: [batch, n] = 0`"
        return frame.report(errors.BadCarry(span=span, name=name.id, reason=reason))
    start = apply.weak(outer, "carry", value, type.dtype, span)
    if isinstance(start, Val) and type.rank:
        start = apply.emit(outer, "broadcast", (start,), {"shape": tuple(size(dim) for dim in type.shape)}, span)
    return start


def yield_(frame: Frame, node: ast.Yield) -> None:
    if isinstance(frame.body, ScanBody):
        frame.body.yields = [evaluate(frame, value) for value in node.values]


def poison_carried(frame: Frame, node: ast.Scan) -> None:
    for statement in node.body.statements:
        if isinstance(statement, ast.Carry):
            for name in statement.names:
                frame.scope.assign(name.id, Binding(POISON, name.span))


# ---- the node -------------------------------------------------------------------------------------------------------------------


def finish(
    frame: Frame, node: ast.Scan, inner: Frame, body: ScanBody, sequences: list[Val], slices: list[int], lengths: Val | None
) -> Sequence[Value]:  # fmt: skip
    """The `scan` node: inputs are the sequences, the starts, the lengths and what was captured; results are finals and yields."""
    finals = [final(inner, item) for item in body.carried]
    yields = [as_yield(inner, value, node) for value in body.yields or ()]
    if body.yields is None:
        frame.report(errors.ScanYield(span=node.span))
    if body.failed or body.yields is None or is_poison(*finals, *yields):
        poison_carried(frame, node)
        return (POISON,) * max(1, len(yields))
    tape, builder = inner.tape, inner.tape.builder
    for item, value in zip(body.carried, finals, strict=True):
        builder.output(item.name.id, tape.local(value))
    for number, value in enumerate(yields):
        builder.output(f"yield{number}", tape.local(value))
    stacked = [stack(value.type, body.over) for value in yields]
    graph = ordered(builder, slices, [item.inner.id for item in body.carried])
    captured = [Val(frame.tape.builder, outer) for outer in tape.captured]
    inputs = [frame.tape.local(v) for v in (*sequences, *(item.start for item in body.carried), *([lengths] if lengths else []))]
    frame.tape.builder.place, frame.tape.builder.scope = frame.place(node.span), frame.address
    attrs = {"sequences": len(sequences), "carries": len(body.carried), "lengths": lengths is not None}
    types = [*(value.type for value in finals), *stacked]
    if not all(apply.within_limits(frame, type, node.span) for type in stacked):
        return (POISON,) * len(yields)
    results = frame.tape.builder.emit("scan", (*inputs, *captured), attrs, body=graph, types=types)
    frame.session.signature_only.setdefault("scan", frame.place(node.span))
    for item, result in zip(body.carried, results, strict=False):
        frame.scope.assign(item.name.id, Binding(result, item.name.span))
    return results[len(finals) :]


def ordered(builder: Builder, slices: list[int], carried: list[int]) -> Graph:
    """The body's graph with its inputs in the order sequences, carries, captured."""
    first = {id: at for at, id in enumerate((*slices, *carried))}
    builder.inputs.sort(key=lambda item: first.get(item.id, len(first)))
    return builder.build()


def final(inner: Frame, item: Carried) -> Value:
    """The value of a carried name at the end of the body: of the same type as at its start."""
    binding = inner.scope.find(item.name.id)
    value = binding.value if binding is not None else POISON
    if isinstance(value, Val) and value.type != item.start.type and binding is not None:
        text = f"`{item.name.id}` starts as {item.start.type} and ends a step as {value.type}"
        labels = (Label(item.name.span, "carried here"),)
        return inner.report(errors.ShapeMismatch(span=binding.span, message_text=text, here=str(value.type), labels=labels))
    if not isinstance(value, (Val, Poison)):
        return inner.report(
            errors.BadCarry(span=item.name.span, name=item.name.id, reason=f"`{item.name.id}` ends a step as {words_of(value)}")
        )
    return value


def as_yield(inner: Frame, value: Value, node: ast.Scan) -> Value:
    if isinstance(value, (Val, Poison)):
        return value
    return inner.report(errors.WrongType(span=node.body.statements[-1].span, what="a `yield`", wanted="a tensor", found=words_of(value)))


def stack(type: TensorType, over: Dim) -> TensorType:
    """The type of all yields: the steps are axis 1 (axis 0 of a tensor of rank 0)."""
    return TensorType(dtype=type.dtype, shape=(*type.shape[:1], over, *type.shape[1:]))
