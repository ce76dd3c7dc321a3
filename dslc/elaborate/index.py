"""`x[i, a:b, _, .., [0, 2]]` as slices, a reshape and one gather."""

from __future__ import annotations

from dataclasses import dataclass, field

from dslc.elaborate import errors
from dslc.elaborate.apply import emit
from dslc.elaborate.evaluation import evaluate
from dslc.elaborate.frame import Frame
from dslc.elaborate.values import POISON, Poison, Value, is_int, is_poison, size, words_of
from dslc.ir.types import Dim, DType
from dslc.ops.value import Val
from dslc.source import Span
from dslc.syntax import ast


@dataclass
class Plan:
    """What an index does to each axis of the tensor, and the shape after slices and new axes."""

    starts: list[int | Dim] = field(default_factory=list)
    stops: list[int | Dim] = field(default_factory=list)
    shape: list[int | Dim] = field(default_factory=list)
    gather: tuple[int, Value, Span] | None = None  # axis in the result, indices
    axes: int = 0


def read(frame: Frame, value: Value, node: ast.Index) -> Value:
    """`value[...]` of a tensor or of a compile-time list."""
    if isinstance(value, Poison):
        return POISON
    if isinstance(value, tuple):
        return item(frame, value, node)
    if not isinstance(value, Val):
        return frame.report(errors.WrongType(span=node.value.span, what="this", wanted="a tensor or a list", found=words_of(value)))
    return of_tensor(frame, value, node)


def item(frame: Frame, value: tuple[Value, ...], node: ast.Index) -> Value:
    """An item or a part of a list."""
    if len(node.items) != 1 or isinstance(node.items[0], ast.Ellipsis):
        return frame.report(errors.BadIndex(span=node.span, message_text="a list has one index"))
    index = node.items[0]
    if isinstance(index, ast.Slice):
        bounds = [None if part is None else evaluate(frame, part) for part in (index.start, index.stop)]
        if is_poison(*bounds):
            return POISON
        if not all(part is None or is_int(part) for part in bounds):
            return frame.report(errors.BadIndex(span=index.span, message_text="the ends of a part of a list are ints"))
        return value[bounds[0] : bounds[1]]
    at = evaluate(frame, index)
    if isinstance(at, Poison):
        return POISON
    if not is_int(at):
        return frame.report(errors.BadIndex(span=index.span, message_text=f"the index of a list is an int, not {words_of(at)}"))
    if not -len(value) <= at < len(value):
        return frame.report(errors.BadIndex(span=index.span, message_text=f"the list has {len(value)} items, and this is item {at}"))
    return value[at]


def of_tensor(frame: Frame, value: Val, node: ast.Index) -> Value:
    shape = value.type.shape
    used = sum(not isinstance(part, ast.Ellipsis) and not is_new_axis(part) for part in node.items)
    gaps = [part for part in node.items if isinstance(part, ast.Ellipsis)]
    if used > len(shape) or len(gaps) > 1:
        text = f"{value.type} has {len(shape)} axes, and {used} are indexed" if len(gaps) <= 1 else "`..` stands once in an index"
        return frame.report(errors.BadIndex(span=node.span, message_text=text))
    plan = Plan()
    good = True
    for part in node.items:
        if isinstance(part, ast.Ellipsis):
            rest(plan, shape, len(shape) - used)
        elif is_new_axis(part):
            plan.shape.append(1)
        elif isinstance(part, ast.Slice):
            good = part_of_axis(frame, plan, shape, part) and good
        else:
            good = single(frame, plan, shape, part) and good
    if not good:
        return POISON
    rest(plan, shape, len(shape) - plan.axes)
    return carried_out(frame, value, plan, node.span)


def is_new_axis(part: ast.Expr | ast.Slice | ast.Ellipsis) -> bool:
    return isinstance(part, ast.Name) and part.id == "_"


def rest(plan: Plan, shape: tuple[Dim, ...], count: int) -> None:
    """Whole axes."""
    for _ in range(count):
        whole = size(shape[plan.axes])
        plan.starts.append(0)
        plan.stops.append(whole)
        plan.shape.append(whole)
        plan.axes += 1


def part_of_axis(frame: Frame, plan: Plan, shape: tuple[Dim, ...], part: ast.Slice) -> bool:
    """`a:b`: keeps the axis; negative ends count from the end of a fixed size."""
    whole = shape[plan.axes]
    start = 0 if part.start is None else evaluate(frame, part.start)
    stop = size(whole) if part.stop is None else evaluate(frame, part.stop)
    plan.axes += 1
    if is_poison(start, stop):
        return False
    if not all(is_int(bound) or isinstance(bound, Dim) for bound in (start, stop)):
        found = words_of(stop if is_int(start) else start)
        frame.report(errors.BadIndex(span=part.span, message_text=f"the ends of `a:b` are ints, not {found}"))
        return False
    if negative(start) or negative(stop):
        if not whole.is_constant:
            text = f"a negative end needs a fixed size, and this axis is {whole}"
            frame.report(errors.BadIndex(span=part.span, message_text=text, action="write the end with the size: `size - 1`"))
            return False
        start = start + whole.constant if negative(start) else start
        stop = stop + whole.constant if negative(stop) else stop
    length = Dim.of(stop) - Dim.of(start)
    room = whole - Dim.of(stop)
    low = room.lower() if not room.is_constant else room.constant
    if length.is_constant and length.constant < 1:
        frame.report(errors.BadIndex(span=part.span, message_text="this part is empty"))
        return False
    if negative(start) or low is None or low < 0:
        text = f"`{part.span.text}` is not inside an axis of {whole}"
        if low is None or not whole.is_constant:
            text = f"whether `{part.span.text}` is inside an axis of {whole} cannot be known here"
        action = f"its size is {whole}" if whole.is_constant else "give the axis a fixed size, or index within it"
        frame.report(errors.BadIndex(span=part.span, message_text=text, action=action))
        return False
    plan.starts.append(start)
    plan.stops.append(stop)
    plan.shape.append(size(length))
    return True


def negative(bound: Value) -> bool:
    return is_int(bound) and bound < 0


def single(frame: Frame, plan: Plan, shape: tuple[Dim, ...], part: ast.Expr) -> bool:
    """An int drops the axis; a list of ints or an integer tensor gathers along it."""
    index = evaluate(frame, part)
    whole = shape[plan.axes]
    plan.axes += 1
    if is_poison(index):
        return False
    if is_int(index):
        return drop(frame, plan, whole, index, part.span)
    if isinstance(index, tuple) and index and all(map(is_int, index)):
        if not whole.is_constant or not all(-whole.constant <= at < whole.constant for at in index):
            text = f"an index of {part.span.text} is outside an axis of {whole}"
            frame.report(errors.BadIndex(span=part.span, message_text=text))
            return False
        index = tuple(at % whole.constant for at in index)
    elif not (isinstance(index, Val) and index.type.dtype.is_int):
        frame.report(
            errors.BadIndex(span=part.span, message_text=f"an index is an int, a list of ints or an integer tensor, not {words_of(index)}")
        )
        return False
    if plan.gather is not None:
        frame.report(errors.BadIndex(span=part.span, message_text="an index holds one list or tensor at most"))
        return False
    plan.gather = (len(plan.shape), index, part.span)
    plan.starts.append(0)
    plan.stops.append(size(whole))
    plan.shape.append(size(whole))
    return True


def drop(frame: Frame, plan: Plan, whole: Dim, index: int, span: Span) -> bool:
    least = whole.constant if whole.is_constant else 1
    if index < 0 and not whole.is_constant:
        frame.report(errors.BadIndex(span=span, message_text=f"a negative index needs a fixed size, and this axis is {whole}"))
        return False
    if not -least <= index < least:
        text = f"index {index} is outside an axis of {whole}"
        if not whole.is_constant:
            text = f"whether index {index} is inside an axis of {whole} cannot be known here"
        frame.report(errors.BadIndex(span=span, message_text=text))
        return False
    start = index % least if whole.is_constant else index
    plan.starts.append(start)
    plan.stops.append(start + 1)
    return True


def carried_out(frame: Frame, value: Val, plan: Plan, span: Span) -> Value:
    """Slice, reshape, gather: each only where it changes something."""
    result: Value = value
    whole = [size(dim) for dim in value.type.shape]
    if any(plan.starts) or plan.stops != whole:
        result = emit(frame, "slice", (value,), {"starts": tuple(plan.starts), "stops": tuple(plan.stops)}, span)
    if isinstance(result, Val) and [size(dim) for dim in result.type.shape] != plan.shape:
        result = emit(frame, "reshape", (result,), {"shape": tuple(plan.shape)}, span)
    if plan.gather is not None and isinstance(result, Val):
        axis, index, place = plan.gather
        if isinstance(index, tuple):
            index = emit(frame, "constant", (), {"value": index, "dtype": DType.i64}, place)
        if isinstance(index, Val):
            result = emit(frame, "gather", (result, index), {"axis": axis}, span)
    return result
