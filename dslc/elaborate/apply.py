"""Applying operators to tensors: number types (R10), broadcasting (R11), emission, and what does not fit as a diagnostic."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from dslc.diagnostics import Diagnostic, Label
from dslc.elaborate import errors, warnings
from dslc.elaborate.frame import Frame, is_std
from dslc.elaborate.numbers import DOUBT
from dslc.elaborate.session import INPUTS, LETTERS, NODE, TERMS
from dslc.elaborate.values import POISON, Poison, Several, Value, is_scalar, size, text_of, words_of
from dslc.ir.types import Dim, DType, TensorType
from dslc.ops.infer import bind_attrs, parameters
from dslc.ops.table import Mismatch, infer, lookup
from dslc.ops.value import Val
from dslc.source import Span

MOST_RANK = 8
MOST_DIM = 2**31
MOST_ELEMENTS = 2**40
ROWS = {
    "+": "add", "-": "subtract", "*": "multiply", "/": "divide", "//": "floor_divide", "%": "remainder", "^": "pow", "@": "matmul",
    "==": "equal", "!=": "not_equal", "<": "less", "<=": "less_equal", ">": "greater", ">=": "greater_equal",
    "and": "logical_and", "or": "logical_or",
}  # fmt: skip
SIGNS = {row: sign for sign, row in ROWS.items()}
COMPARISONS = frozenset(["==", "!=", "<", "<=", ">", ">="])
LOGIC = frozenset(["and", "or"])
FLOATS = frozenset(["a float", "f32", "f64"])
FLOORS = frozenset(["//", "%"])
WHOLE = frozenset(["floor_divide", "remainder", "rem"])  # have no value for whole numbers and 0


# ---- emission ---------------------------------------------------------------------------------------------------------------


def emit(
    frame: Frame, name: str, inputs: Sequence[Val], attrs: Mapping[str, Any], span: Span,
    labels: Mapping[str, Span] | None = None, optional: Mapping[str, Val] | None = None,
) -> Value:  # fmt: skip
    """One node of operator `name`; its result, `Several`, or POISON where types or settings do not fit.

    `labels`: where each argument stands, for messages; `optional`: optional tensors by name.
    """
    tape, row = frame.tape, lookup(name)
    values = [tape.local(value) for value in (*inputs, *(optional or {}).values())]
    types = [value.type for value in values]
    settings = dict(attrs)
    if optional:
        settings["optional"] = tuple(optional)
    builder = tape.builder
    builder.place, builder.scope = frame.place(span), frame.address
    address = builder.address(name)
    if name in WHOLE and not types[1].dtype.is_float and builder.is_constant(values[1], 0):
        return frame.report(errors.DivisionByZero(span=span))
    if row.random:
        settings |= stream(frame, name, address)
        values.append(tape.key())
        types = [value.type for value in values]
    try:
        bound = bind_attrs(name, settings, types)
        results = infer(name, types, bound)
    except Mismatch as mismatch:
        return frame.report(explain(name, mismatch, span, labels or {}))
    frame.session.step(span, NODE + len(values) // INPUTS)
    frame.session.work(span, len(address), LETTERS)
    if not all(within_limits(frame, type, span) for type in results):
        return POISON
    if row.eval is None:
        frame.session.signature_only.setdefault(name, builder.place)
    return record(frame, name, values, builder.emit(name, values, bound, types=results, address=address), span)


def record(frame: Frame, name: str, inputs: Sequence[Val], results: tuple[Val, ...], span: Span) -> Value:
    """Count the node, remember where its results come from, and look for what is probably a mistake."""
    tape = frame.tape
    if len(tape.builder.nodes) > frame.session.most_nodes:
        frame.session.stop(frame.located(frame.session.too_many_nodes(span)))
    for result in results:
        tape.sources[result.id] = (name, tuple(inputs))
    warnings.look(frame, name, inputs, span)
    return results[0] if len(results) == 1 else Several(results)


def stream(frame: Frame, name: str, address: str) -> dict[str, Any]:
    """What a random operator is keyed by (R23)."""
    from dslc.ops.philox import stream_of

    known = {parameter.name for parameter in parameters(name)}
    return {"stream": stream_of(address)} | ({"dtype": frame.session.precision} if "dtype" in known else {})


def within_limits(frame: Frame, type: TensorType, span: Span) -> bool:
    """Rank, dims and elements, counted in exact ints before anything is allocated."""
    if type in frame.session.sound:
        return True
    frame.session.step(span, DOUBT * sum(dim.expansion for dim in type.shape if not dim.is_constant) // TERMS)
    if type.rank > MOST_RANK:
        frame.report(errors.RankTooLarge(span=span, rank=str(type.rank), limit=str(MOST_RANK)))
        return False
    for dim in type.shape:
        if dim.is_constant and not 1 <= dim.constant <= MOST_DIM:
            if dim.constant > MOST_DIM:
                frame.report(errors.SizeTooLarge(span=span, type=f"a size of {dim}", limit=f"{MOST_DIM:,}"))
            else:
                frame.report(errors.BadShape(span=span, found=f"{dim} in {type}"))
            return False
        if any(coefficient < 0 for _, coefficient in dim.terms) and (dim.sign() or 1) < 1:
            frame.report(errors.BadShape(span=span, found=f"{dim} in {type}"))
            return False
    fixed = 1
    for dim in type.shape:
        fixed *= dim.constant if dim.is_constant else 1
    if fixed > MOST_ELEMENTS:
        frame.report(errors.SizeTooLarge(span=span, type=str(type), limit=f"{MOST_ELEMENTS:,} elements"))
        return False
    frame.session.sound.add(type)
    return True


def explain(name: str, m: Mismatch, span: Span, labels: Mapping[str, Span]) -> Diagnostic:
    """A row's `Mismatch` as a located diagnostic."""
    where = labels.get(m.argument, span)
    settings = {parameter.name for parameter in parameters(name) if not parameter.tensor}
    if m.argument in settings:
        return errors.BadSetting(
            span=where, callee=name, name=m.argument, reason=contrasted(m), wanted=f"it takes {m.wanted}" if m.wanted else ""
        )
    others = tuple(
        Label(place, f"`{other}` stands here")
        for other, place in labels.items()
        if other == m.other and place != where
    )  # fmt: skip
    action = f"cast it: `cast({shown(where)}, f32)`" if m.wanted in FLOATS and m.found and not m.found.startswith("f") else ""
    if (name, m.argument) == ("cross_entropy", "label") and m.found.startswith("f"):
        action = "labels that are distributions go to `soft_cross_entropy`"
    return errors.ShapeMismatch(span=where, message_text=contrasted(m), here=m.found, action=action, labels=others)


def contrasted(m: Mismatch) -> str:
    """ "`x` is bool" as "`x` must be bool, not f32", where the mismatch says what was found."""
    said = STATES.match(m.reason)
    if said is None or not m.found or m.found in m.reason:
        return m.reason
    return f"{said.group(1)} must be {m.reason[said.end() :]}, not {m.found}"


STATES = re.compile(r"(`\w+`(?: of `\w+`)?) is (?=(?:an?|at|from|above|below|between|bool|[fiu]\d\d?)\b)")


def shown(span: Span) -> str:
    """What the user wrote, where it is short and no part of a chain; else `x`."""
    text = span.text
    return text if len(text) < 30 and "\n" not in text and not is_std(span) and "->" not in text else "x"


# ---- numbers and tensors ------------------------------------------------------------------------------------------------------


def constant(frame: Frame, value: bool | int | float, dtype: DType, span: Span) -> Val:
    """A rank-0 constant of this graph."""
    builder = frame.tape.builder
    builder.place, builder.scope = frame.place(span), frame.address
    before = len(builder.nodes)
    found = builder.constant(value, dtype)
    if len(builder.nodes) > before:
        frame.session.step(span, NODE)
    return found


def scalar(frame: Frame, value: Value, dtype: DType, span: Span) -> Value:
    """A number, truth value or size as a tensor of rank 0."""
    if isinstance(value, Dim):
        return emit(frame, "size", (), {"dim": value, "dtype": dtype}, span)
    try:
        return constant(frame, value, dtype, span)
    except Mismatch as mismatch:
        return frame.report(errors.NumberTooLarge(span=span, what=f"the number does not fit: {mismatch.reason}"))


def cast(frame: Frame, value: Val, dtype: DType, span: Span) -> Value:
    return value if value.type.dtype == dtype else emit(frame, "cast", (value,), {"dtype": dtype}, span)


def promoted(frame: Frame, op: str, value: Val, span: Span) -> Value:
    """u8 and bool become the model's float in arithmetic, integers under `/` (R10)."""
    dtype = value.type.dtype
    if op in COMPARISONS or op in LOGIC:
        return value
    if dtype is DType.bool or (dtype is DType.u8 and op not in FLOORS) or (dtype.is_int and op == "/"):
        return cast(frame, value, frame.session.precision, span)
    return value


def weak(frame: Frame, op: str, number: Value, dtype: DType, span: Span) -> Value:
    """A literal takes the tensor's dtype; a float does not fit an integer tensor."""
    if isinstance(number, float) and dtype.is_int:
        return frame.report(errors.WeakFloat(span=span, op=op, number=text_of(number), dtype=str(dtype)))
    if isinstance(number, bool) != (dtype is DType.bool):
        return frame.report(errors.BadOperands(span=span, op=op, left=words_of(number), right=f"a tensor of {dtype}"))
    return scalar(frame, number, dtype, span)


def same_dtype(frame: Frame, op: str, left: Val, right: Val, span: Span, spans: tuple[Span, Span]) -> tuple[Value, Value]:
    """Two tensors of one dtype; integers are compared as i64."""
    a, b = left.type.dtype, right.type.dtype
    if a == b:
        return left, right
    if op in COMPARISONS and a.is_int and b.is_int:
        return cast(frame, left, DType.i64, span), cast(frame, right, DType.i64, span)
    target = a if a.is_float or not b.is_float else b
    text = shown(spans[1] if target == a else spans[0])
    frame.report(errors.DtypeMismatch(span=span, op=op, left=str(left.type), right=str(right.type), target=str(target), text=text))
    return POISON, POISON


def binary(frame: Frame, op: str, left: Value, right: Value, span: Span, spans: tuple[Span, Span]) -> Value:
    """`left op right` where one of them is a tensor at least."""
    if not all(isinstance(value, Val) or is_scalar(value) for value in (left, right)):
        return frame.report(errors.BadOperands(span=span, op=op, left=words_of(left), right=words_of(right)))
    if isinstance(left, Val):
        left = promoted(frame, op, left, spans[0])
    if isinstance(right, Val):
        right = promoted(frame, op, right, spans[1])
    if isinstance(left, Val) and not isinstance(right, (Val, Poison)):
        right = weak(frame, op, right, left.type.dtype, spans[1])
    elif isinstance(right, Val) and not isinstance(left, (Val, Poison)):
        left = weak(frame, op, left, right.type.dtype, spans[0])
    if not (isinstance(left, Val) and isinstance(right, Val)):
        return POISON
    if op in LOGIC and not all(truth(frame, op, value, place) for value, place in zip((left, right), spans, strict=True)):
        return POISON
    left, right = same_dtype(frame, op, left, right, span, spans)
    if not (isinstance(left, Val) and isinstance(right, Val)):
        return POISON
    if op == "@":
        return product(frame, left, right, span, spans)
    if not meet(frame, op, (left.type, right.type), span, spans):
        return POISON
    names = ("a", "b")
    return emit(frame, ROWS[op], (left, right), {}, span, dict(zip(names, spans, strict=True)))


def truth(frame: Frame, op: str, value: Val, span: Span) -> bool:
    """`and` and `or` take truth values."""
    if value.type.dtype is DType.bool:
        return True
    action = f"compare it, for example `{shown(span)} != 0`"
    frame.report(errors.BadOperand(span=span, op=op, found=f"a tensor {value.type}: it must be bool", action=action))
    return False


def product(frame: Frame, left: Val, right: Val, span: Span, spans: tuple[Span, Span]) -> Value:
    """`left @ right`; a vector is a row on the left and a column on the right, and its axis is gone from the result."""
    dims = [*(() if left.type.rank == 1 else left.type.shape[:-1]), *(() if right.type.rank == 1 else right.type.shape[-1:])]
    vector = 1 in (left.type.rank, right.type.rank)
    a: Value = row(frame, left, spans[0], 0) if left.type.rank == 1 else left
    b: Value = row(frame, right, spans[1], 1) if right.type.rank == 1 else right
    if not (isinstance(a, Val) and isinstance(b, Val)):
        return POISON
    result = emit(frame, "matmul", (a, b), {}, span, dict(zip("ab", spans, strict=True)))
    if not vector or not isinstance(result, Val):
        return result
    if left.type.rank == 1 and right.type.rank > 2:
        dims = [*right.type.shape[:-2], right.type.shape[-1]]
    return emit(frame, "reshape", (result,), {"shape": tuple(map(size, dims))}, span)


def row(frame: Frame, vector: Val, span: Span, axis: int) -> Value:
    """A vector with an axis of size 1 before (`axis` 0) or after it."""
    n = size(vector.type.shape[0])
    return emit(frame, "reshape", (vector,), {"shape": (1, n) if axis == 0 else (n, 1)}, span)


def meet(frame: Frame, op: str, types: tuple[TensorType, TensorType], span: Span, spans: tuple[Span, Span]) -> bool:
    """R11: equal rank: sizes equal or literally 1; otherwise the shorter one's axes equal the last axes of the longer."""
    left, right = types
    if left.shape == right.shape:
        return True
    if left.rank == right.rank:
        one = Dim.of(1)
        bad = [axis for axis, (a, b) in enumerate(zip(left.shape, right.shape, strict=True)) if a != b and one not in (a, b)]
        action = f"axis {bad[0]} is {left.shape[bad[0]]} and {right.shape[bad[0]]}: they must be equal, or one of them 1" if bad else ""
    else:
        short, long = (left, right) if left.rank < right.rank else (right, left)
        fits = short.rank == 0 or long.shape[-short.rank :] == short.shape
        action = "" if fits else missing_axes(short, long)
    if not action:
        return True
    labels = tuple(Label(place, str(type)) for place, type in zip(spans, types, strict=True) if place != span)
    frame.report(errors.BroadcastMismatch(span=span, op=op, left=str(left), right=str(right), action=action, labels=labels))
    return False


def missing_axes(short: TensorType, long: TensorType) -> str:
    """Where `_` would make the shorter operand fit."""
    at, items = 0, []
    for dim in long.shape:
        if at < short.rank and short.shape[at] == dim:
            items.append(":")
            at += 1
        else:
            items.append("_")
    if at < short.rank:
        return "their last axes must be equal; new axes are written with `_`"
    return f"say where the missing axes are: `[{', '.join(items)}]` after the shorter one"


def unary(frame: Frame, name: str, value: Val, span: Span) -> Value:
    return emit(frame, name, (value,), {}, span, {"x": span})


def negated(frame: Frame, value: Val, span: Span) -> Value:
    """`-x` of a tensor."""
    value = promoted(frame, "-", value, span)
    return unary(frame, "negative", value, span) if isinstance(value, Val) else POISON
