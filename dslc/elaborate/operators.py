"""Calls of operators: binding by the row's signature, number types, broadcasting, optional tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

from dslc.diagnostics import Label
from dslc.elaborate import apply, errors, gradients, limits, numbers
from dslc.elaborate.apply import emit
from dslc.elaborate.calls import CALLERS, Given, Site, Slot, bind, piped, setting, tensor_argument
from dslc.elaborate.evaluation import as_tensor, evaluate
from dslc.elaborate.frame import Frame
from dslc.elaborate.session import CONSTANTS
from dslc.elaborate.values import POISON, OperatorValue, Poison, Value, is_int, is_number, is_poison, is_scalar, text_of, words_of
from dslc.ir.types import Dim, DType
from dslc.ops.infer import REQUIRED, Parameter, parameters
from dslc.ops.table import lookup
from dslc.ops.value import Val
from dslc.source import Span
from dslc.syntax import ast

FOLDS = {"min": "minimum", "max": "maximum"}
HIDDEN = frozenset(["stream"])  # settings that the elaborator fills in
COUNTED = frozenset(["f", "n"])  # dtype letters that take u8 and bool as the model's float
KEEPS = frozenset(["floor_divide", "remainder"])


@cache
def slots_of(name: str) -> tuple[Slot, ...]:
    """The parameters of a row as binding sees them; `stream` and a random row's `dtype` are filled in, not given."""
    random = lookup(name).random
    found = []
    for parameter in parameters(name):
        if parameter.name in HIDDEN or (random and parameter.name == "dtype"):
            continue
        required = parameter.default is REQUIRED and not parameter.optional
        found.append(Slot(parameter.name, "" if parameter.tensor else parameter.kind, required, parameter.variadic))
    return tuple(found)


def layer_slots(name: str) -> list[Slot]:
    """The settings of an operator that is made a layer."""
    return [] if name in SPECIAL else [slot for slot in slots_of(name) if slot.kind]


def call_operator(frame: Frame, target: OperatorValue, site: Site, want: str) -> Value:
    """Apply an operator by its name."""
    if site.alias is not None:
        return frame.report(errors.UselessAlias(span=site.alias.span, callee=site.name, alias=site.alias.id))
    return apply_operator(frame, target.name, site)


def apply_operator(frame: Frame, name: str, site: Site, settings: Mapping[str, Value] | None = None) -> Value:
    """Bind the arguments by the row's signature and emit. `settings`: those of a layer, bound before."""
    if name in SPECIAL:
        return SPECIAL[name](frame, site)
    if name in FOLDS and settings is None and positional(frame, site):
        site, several = listed_values(frame, site)
        if several:
            return fold(frame, name, site, several)
    row = lookup(name)
    slots = [slot for slot in slots_of(name) if settings is None or not slot.kind]
    bound = bind(frame, site, site.name, slots, row.text)
    if bound is None:
        return POISON
    attrs = floats(frame, name) | dict(settings or {})
    tensors: dict[str, list[Value]] = {}
    members: list[tuple[Value, Span]] = []
    spans = {key: given[0].span for key, given in bound.items()}
    for slot in slots:
        if slot.name not in bound:
            continue
        if slot.kind:
            attrs[slot.name] = setting(frame, site.name, slot, bound[slot.name][0])
        elif slot.variadic:
            members = variadic(frame, site.name, bound[slot.name])
            tensors[slot.name] = [value for value, _ in members]
        else:
            tensors[slot.name] = [tensor_argument(frame, bound[slot.name][0])]
    flat = [value for values in tensors.values() for value in values]
    if is_poison(*flat, *attrs.values()) or not fits(frame, name, attrs, tensors, members, spans):
        return POISON
    if row.kind == "loss" and not named_numbers(frame, site.name, slots, bound, tensors):
        return POISON
    if name in numbers.FUNCTIONS and flat and all(is_number(value) for value in flat) and not attrs:
        return on_numbers(frame, name, tuple(flat), site.span)
    return applied(frame, name, tensors, attrs, spans, site.span)


def named_numbers(
    frame: Frame, callee: str, slots: Sequence[Slot], bound: Mapping[str, list[Given]], tensors: Mapping[str, list[Value]]
) -> bool:  # fmt: skip
    """A number by position is no mask: in `huber(x, t, 0.5)` it is meant as `delta`."""
    setting = next((slot.name for slot in slots if slot.kind in ("float", "int")), "")
    for slot in slots:
        if slot.kind or slot.required or slot.name not in tensors or bound[slot.name][0].name_span is not None:
            continue
        value = tensors[slot.name][0]
        if is_number(value):
            action = f"a setting is given by its name: `{setting}={text_of(value)}`" if setting else ""
            span, found = bound[slot.name][0].span, f"the number {text_of(value)}"
            frame.report(errors.WrongKind(span=span, callee=callee, name=slot.name, wanted="a tensor", found=found, action=action))
            return False
    return True


def floats(frame: Frame, name: str) -> dict[str, Value]:
    """Dtypes that are f32 unless they are given mean the model's float (R10)."""
    return {item.name: frame.session.precision for item in parameters(name) if item.kind == "dtype" and item.default is DType.f32}


def positional(frame: Frame, site: Site) -> list[ast.Arg | Given]:
    first = [piped(site)] if site.piped is not None else []
    return [*first, *(arg for arg in site.args if arg.name is None)]


def on_numbers(frame: Frame, name: str, values: tuple[Value, ...], span: Span) -> Value:
    try:
        return numbers.function(name, values)
    except numbers.Failed as failed:
        return frame.report(errors.NumberTooLarge(span=span, what=failed.text))


def variadic(frame: Frame, callee: str, given: list[Given]) -> list[tuple[Value, Span]]:
    """All tensors of a parameter that takes any number of them, or one list of them, with their places."""
    values: list[tuple[Value, Span]] = []
    for item in given:
        value = evaluate(frame, item.expr) if item.value is None and item.expr is not None else item.value
        if isinstance(value, tuple) and len(given) == 1:
            written = item.expr.items if isinstance(item.expr, ast.List) and len(item.expr.items) == len(value) else None
            for at, member in enumerate(value):
                span = item.span if written is None else written[at].span
                values.append((as_tensor(frame, member, span), span))
        else:
            values.append((as_tensor(frame, value, item.span, item.written), item.span))
    return values


def fits(
    frame: Frame, name: str, attrs: Mapping[str, Value], tensors: Mapping[str, list[Value]], members: list[tuple[Value, Span]],
    spans: Mapping[str, Span],
) -> bool:  # fmt: skip
    """What rows cannot say at the user's own words: the sizes of `concat`, a -1 of `reshape`, the bounds of `clip`."""
    if name == "concat":
        return joinable(frame, members, attrs.get("axis", -1))
    if name == "reshape" and isinstance(attrs.get("shape"), tuple) and any(is_int(item) and item < 0 for item in attrs["shape"]):
        x = tensors["x"][0]
        rest = Dim.of(1)
        for item in attrs["shape"]:
            rest = rest * Dim.of(item) if not (is_int(item) and item < 0) else rest
        whole = x.type.elements.exact_div(rest) if isinstance(x, Val) and rest.sign() == 1 else None
        wanted = f"write the size: `{whole}`" if whole is not None else "write the size"
        reason = "a size of -1 is not worked out"
        frame.report(errors.BadSetting(span=spans["shape"], callee=name, name="shape", reason=reason, wanted=wanted))
        return False
    return limits.ordered(frame, name, attrs, spans)


def joinable(frame: Frame, members: list[tuple[Value, Span]], axis: Value) -> bool:
    """Whether tensors agree in all axes but one."""
    found = [(value.type, span) for value, span in members if isinstance(value, Val)]
    for type, span in found[1:]:
        first, place = found[0]
        bad = [at for at, (a, b) in enumerate(zip(first.shape, type.shape, strict=False)) if a != b and at != axis % max(first.rank, 1)]
        if type.rank == first.rank and not bad:
            continue
        text = f"`concat` joins tensors of as many axes, and these are {first} and {type}"
        if type.rank == first.rank:
            sizes = f"{first.shape[bad[0]]} and {type.shape[bad[0]]}"
            text = f"axis {bad[0]} of the tensors is {sizes}: `concat` along axis {axis} needs equal sizes in all others"
        labels = (Label(place, str(first)),)
        frame.report(errors.ShapeMismatch(span=span, message_text=text, here=str(type), labels=labels))
        return False
    return True


# ---- number types and shapes -------------------------------------------------------------------------------------------------


def applied(
    frame: Frame, name: str, tensors: Mapping[str, list[Value]], attrs: Mapping[str, Value], spans: Mapping[str, Span], span: Span
) -> Value:  # fmt: skip
    """Emit a node after numbers have become tensors and u8 and bool floats, with R11 checked."""
    row = lookup(name)
    known = {parameter.name: parameter for parameter in parameters(name)}
    ready: dict[str, list[Value]] = {}
    for key, values in tensors.items():
        ready[key] = [counted(frame, name, known[key], value, spans.get(key, span)) for value in values]
    dtypes = letters(known, ready)
    for key, values in ready.items():
        ready[key] = [numeric(frame, known[key], value, dtypes, spans.get(key, span)) for value in values]
    if is_poison(*(value for values in ready.values() for value in values)):
        return POISON
    if row.kind == "elementwise" and not compatible(frame, name, ready, spans, span):
        return POISON
    required = [value for key, values in ready.items() if not known[key].optional for value in values]
    optional = {key: values[0] for key, values in ready.items() if known[key].optional}
    if row.kind == "loss":
        # A mask or weight of 1, the default of the blocks of losses, counts all alike.
        optional = {key: value for key, value in optional.items() if not (isinstance(value, Val) and value.builder.is_constant(value, 1))}
    return emit(frame, name, required, attrs, span, spans, optional)


def letter(parameter: Parameter) -> str:
    if parameter.variadic:
        return "t"
    return parameter.type.dtype.id if parameter.type is not None and parameter.type.dtype is not None else "t"


def counted(frame: Frame, name: str, parameter: Parameter, value: Value, span: Span) -> Value:
    """u8 and bool as the model's float where a row counts with them (R10)."""
    if not isinstance(value, Val) or value.type.dtype not in (DType.bool, DType.u8):
        return value
    base = letter(parameter).rstrip("0123456789")
    if base not in COUNTED or (name in KEEPS and value.type.dtype is DType.u8):
        return value
    return apply.cast(frame, value, frame.session.precision, span)


def letters(known: Mapping[str, Parameter], tensors: Mapping[str, list[Value]]) -> dict[str, DType]:
    """The dtype that each letter of the signature stands for, from the tensors among the arguments."""
    found: dict[str, DType] = {}
    for key, values in tensors.items():
        for value in values:
            if isinstance(value, Val):
                found.setdefault(letter(known[key]), value.type.dtype)
    return found


def numeric(frame: Frame, parameter: Parameter, value: Value, dtypes: Mapping[str, DType], span: Span) -> Value:
    """A number as a tensor of the dtype that its parameter has in this call."""
    if not is_scalar(value):
        return value
    text = letter(parameter)
    if text in dtypes:
        return apply.weak(frame, parameter.name, value, dtypes[text], span)
    if text in DType.__members__:
        dtype = DType(text)
    elif isinstance(value, bool):
        dtype = DType.bool
    else:
        dtype = DType.i64 if text == "i" else frame.session.precision
    return apply.weak(frame, parameter.name, value, dtype, span)


def compatible(frame: Frame, name: str, tensors: Mapping[str, list[Value]], spans: Mapping[str, Span], span: Span) -> bool:
    """R11 for an elementwise row with several operands."""
    values = [(spans.get(key, span), value) for key, group in tensors.items() for value in group if isinstance(value, Val)]
    widest = max(values, key=lambda item: item[1].type.rank)
    return all(
        apply.meet(frame, name, (value.type, widest[1].type), span, (place, widest[0]))
        for place, value in values
        if value is not widest[1]
    )  # fmt: skip


# ---- special forms ------------------------------------------------------------------------------------------------------------


def tensor_of(frame: Frame, site: Site) -> Value:
    """`tensor([0.5, 1])`: a constant tensor of the model's float (ints: i64) from a compile-time list."""
    bound = bind(frame, site, "tensor", (Slot("value", "scalar", True), Slot("dtype", "dtype", False)), "tensor(value, dtype)")
    if bound is None:
        return POISON
    given = bound["value"][0]
    value = evaluate(frame, given.expr) if given.value is None and given.expr is not None else given.value
    dtype = setting(frame, "tensor", Slot("dtype", "dtype", False), bound["dtype"][0]) if "dtype" in bound else None
    if is_poison(value, dtype):
        return POISON
    shape = list_shape(value)
    if shape is None:
        found = words_of(value)
        return frame.report(errors.WrongKind(span=given.span, callee="tensor", name="value", wanted="a list of numbers", found=found))
    leaves = flattened(value)
    if dtype is None:
        dtype = DType.bool if all(isinstance(v, bool) for v in leaves) else frame.session.precision
    if dtype.is_int and any(isinstance(leaf, float) for leaf in leaves):
        return frame.report(errors.WeakFloat(span=given.span, op="tensor", number="a number of the list", dtype=str(dtype)))
    frame.session.work(site.span, len(leaves), CONSTANTS)
    convert = float if dtype.is_float else bool if dtype is DType.bool else int
    flat = tuple(convert(leaf) for leaf in leaves)
    if len(shape) == 0:
        return emit(frame, "constant", (), {"value": flat[0], "dtype": dtype}, site.span)
    result = emit(frame, "constant", (), {"value": flat, "dtype": dtype}, site.span)
    if len(shape) > 1 and isinstance(result, Val):
        result = emit(frame, "reshape", (result,), {"shape": shape}, site.span)
    return result


def list_shape(value: Value) -> tuple[int, ...] | None:
    """The shape of a nested list of numbers; None where it is ragged, empty or holds something else."""
    if is_number(value) or isinstance(value, bool):
        return ()
    if not isinstance(value, tuple) or not value:
        return None
    shapes = {list_shape(item) for item in value}
    inner = shapes.pop()
    return None if shapes or inner is None else (len(value), *inner)


def flattened(value: Value) -> list[Value]:
    return [leaf for item in value for leaf in flattened(item)] if isinstance(value, tuple) else [value]


def listed_values(frame: Frame, site: Site) -> tuple[Site, list[tuple[Value, Span]]]:
    """Several values by position, or the members of one list; none where one tensor stands (it is evaluated once, for the call)."""
    given = positional(frame, site)
    values = [(evaluate(frame, item.value), item.span) if isinstance(item, ast.Arg) else (item.value, item.span) for item in given]
    if len(given) > 1:
        return site, values
    value, span = values[0]
    if not isinstance(value, tuple):
        return (site if site.piped is not None else replace(site, first=value)), []
    expr = given[0].value if isinstance(given[0], ast.Arg) else None
    items = expr.items if isinstance(expr, ast.List) and len(expr.items) == len(value) else None
    return site, [(member, span if items is None else items[at].span) for at, member in enumerate(value)]


def fold(frame: Frame, name: str, site: Site, values: list[tuple[Value, Span]]) -> Value:
    """`max(a, b, c)`, `max([a, b, c])`: elementwise, from the left."""
    for arg in site.args:
        if arg.name is not None:
            known = "tensors by position"
            diagnostic = errors.UnknownArgument(span=arg.name.span, callee=f"{name} of several values", name=arg.name.id, known=known)
            return frame.report(diagnostic)
    ready = [as_tensor(frame, value, span) for value, span in values]
    if is_poison(*ready):
        return POISON
    if all(is_number(value) for value in ready):
        return on_numbers(frame, name, tuple(ready), site.span)
    result: Value = ready[0]
    for (_, span), value in zip(values[1:], ready[1:], strict=True):
        places = {"a": values[0][1], "b": span}
        result = applied(frame, FOLDS[name], {"a": [result], "b": [value]}, {}, places, site.span)
        if isinstance(result, Poison):
            return POISON
    return result


def per_axis(frame: Frame, site: Site) -> Value:
    """`per_axis(kernel, [*s])`: one int for each item of the list; a single int is repeated, a list must have as many."""
    slots = (Slot("value", "sizes", True), Slot("axes", "shape", True))
    bound = bind(frame, site, "per_axis", slots, "per_axis(value: sizes, axes: shape)")
    if bound is None:
        return POISON
    value = setting(frame, "per_axis", slots[0], bound["value"][0])
    axes = setting(frame, "per_axis", slots[1], bound["axes"][0])
    if is_poison(value, axes):
        return POISON
    if not isinstance(value, tuple):
        return (value,) * len(axes)
    if len(value) != len(axes):
        reason = f"{text_of(value)} has {len(value)} entries for {len(axes)} spatial axes"
        return frame.report(errors.BadSetting(span=bound["value"][0].span, callee="per_axis", name="value", reason=reason))
    return value


SPECIAL = {"tensor": tensor_of, "per_axis": per_axis, "grad": gradients.grad}
CALLERS["operator"] = call_operator
