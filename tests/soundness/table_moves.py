"""One move for the whole operator table: a row, operands that fit its signature, and settings like those of its samples.

The table is read, so an operator that is added is tried without a word here. Result types are those that the row infers; whether they
are true is for the run to show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from dslc.ir.types import Dim, DType, TensorType
from dslc.ops.infer import Parameter, Unifier, bind_attrs, infer_types, setting_parameters, shown, tensor_parameters
from dslc.ops.table import Case, Mismatch, Op, lookup, rows
from dslc.ops.value import Builder
from dslc.passes.mixing import mixing
from dslc.syntax import ast
from tests.soundness.body import MOST_ELEMENTS, MOST_RANK, Body, Value, elements, list_text
from tests.soundness.moves import called, move, weight

DTYPES = {"f": DType.f32, "i64": DType.i64, "i32": DType.i32, "u8": DType.u8, "bool": DType.bool}
SORTS = {dtype: sort for sort, dtype in DTYPES.items()}
WRITTEN_OTHERWISE = frozenset(["constant", "size", "slice", "cast"])  # by literals, names of sizes, indices, and moves of their own


@dataclass(frozen=True)
class Operand:
    """A parameter of a row as one of its samples fills it: its sort of numbers, their range, and the sample's shape."""

    parameter: Parameter
    name: str
    sort: str
    low: float
    high: float
    shape: tuple[int, ...]


@cache
def callable_rows() -> tuple[str, ...]:
    """Rows that a spec can call with tensors, by name: the table itself is in the order in which its files were imported."""
    found = [row.name for row in rows() if not row.internal and row.eval is not None and row.sample is not None]
    return tuple(sorted(name for name in found if tensor_parameters(name) and name not in WRITTEN_OTHERWISE))


@cache
def standard_layers() -> frozenset[str]:
    """Names that a layer of the standard library takes before the row."""
    return frozenset(path.stem for path in (Path(__file__).parents[2] / "specs" / "std").glob("*.nn"))


@cache
def cases(name: str) -> tuple[Case, ...]:
    row = lookup(name)
    assert row.sample is not None
    return tuple(row.sample(np.random.default_rng(3)))


def operands(row: Op, case: Case) -> list[Operand]:
    """The operands of a sample, in order; those of a list of tensors have the list's name."""
    parameters = tensor_parameters(row.name)
    arrays = [np.asarray(array) for array in case.inputs][: len(case.inputs) - row.random]
    present = tuple(case.attrs.get("optional") or ())
    named = {p.name: p for p in parameters}
    variadic = next((p for p in parameters if p.variadic), None)
    count = len(arrays) - len(present)
    required = [variadic] * count if variadic else [p for p in parameters if not p.optional][:count]
    chosen = [p for p in required if p is not None] + [named[name] for name in present]
    return [operand(p, name, array) for p, name, array in zip(chosen, [""] * count + list(present), arrays, strict=True)]


def operand(parameter: Parameter, name: str, array: np.ndarray) -> Operand:
    sort = {"f": "f", "b": "bool"}.get(array.dtype.kind, "i64")
    low, high = (float(array.min()), float(array.max())) if array.size and sort != "bool" else (0.0, 1.0)
    return Operand(parameter, name, sort, low, high, array.shape)


@move(40)
def table_row(body: Body) -> bool:
    """`y = name(x, …)`: a few tries with other operands and settings."""
    row = lookup(body.rng.choice(callable_rows()))
    for _ in range(6):
        lines, values = len(body.lines), len(body.values)
        if attempt(body, row):
            return True
        del body.lines[lines:], body.values[values:]
    return False


def attempt(body: Body, row: Op) -> bool:
    case = body.rng.choice(cases(row.name))
    values = found(body, row, operands(row, case))
    if values is None or not met(row, values):
        return False
    attrs = settings(body, row, case, values[0])
    types = [TensorType(dtype=DTYPES[value.dtype], shape=value.shape) for value in values]
    key = [TensorType(dtype=DType.i64, shape=(Dim.of(3),))] if row.random else []
    try:
        bound = bind_attrs(row.name, attrs, types)
        results = infer_types(row, [*types, *key], bound)
    except Mismatch:
        return False
    if not all(fine(result) for result in results) or not (body.mixes or apart(row, types, bound, results)):
        return False
    write(body, row, case, values, attrs, results)
    return True


def met(row: Op, values: Sequence[Value]) -> bool:
    """Whether the ranks of elementwise operands fit by R11: the shorter shape ends the longer one."""
    if row.kind != "elementwise":
        return True
    longest = max(values, key=lambda value: value.rank).shape
    return all(value.rank in (0, len(longest)) or value.shape == longest[-value.rank :] for value in values)


def apart(row: Op, types: Sequence[TensorType], attrs: Mapping[str, Any], results: Sequence[TensorType]) -> bool:
    """Whether samples stay apart: the results have an axis of the batch if an operand has one, and none sees another."""
    if not any("batch" in dim.names for type in types for dim in type.shape):
        return True
    if not all("batch" in result.names for result in results):
        return False
    builder = Builder(row.name)
    inputs = [builder.input("data", f"x{at}", type) for at, type in enumerate(types)]
    builder.emit(row.name, [*inputs, builder.key()] if row.random else inputs, attrs)
    graph = builder.build()
    return not mixing(graph, graph.nodes[-1])


def fine(result: TensorType) -> bool:
    """Whether a result is small enough, and of a dtype that other moves know."""
    small = result.rank <= MOST_RANK and elements(result.shape) <= MOST_ELEMENTS
    return small and result.dtype in SORTS and all((dim.sign() or 0) > 0 for dim in result.shape)


# ---- operands -------------------------------------------------------------------------------------------------------------------------


def found(body: Body, row: Op, wanted: Sequence[Operand]) -> list[Value] | None:
    """A value for each operand: one that is there, else a new one of the shape that the others ask for."""
    unifier = Unifier(row.name, broadcast=row.kind == "elementwise")
    values: list[Value] = []
    for item in wanted:
        value = existing(body, unifier, item, values) or converted(body, unifier, item, values) or made(body, unifier, item, values)
        if value is None:
            return None
        values.append(value)
    return values


def existing(body: Body, unifier: Unifier, item: Operand, values: Sequence[Value]) -> Value | None:
    like = values[0].shape if values else None

    def fits(value: Value) -> bool:
        rank = value.rank == len(item.shape) or (value.rank > 0 and has_rest(item.parameter))
        if value.dtype != item.sort or not rank or value.name.startswith("w"):
            return False
        shapes = like is None or item.parameter.pattern is None or matches(unifier, item.parameter, value)
        return shapes and (not item.parameter.variadic or like is None or len(like) == value.rank)

    value = body.pick(fits)
    if value is not None:
        matches(unifier, item.parameter, value, keep=True)
    return value


CONVERSIONS = {"bool": "{} > 0.1", "i64": "cast(abs({}) * 3, i64)"}


def converted(body: Body, unifier: Unifier, item: Operand, values: Sequence[Value]) -> Value | None:
    """Integers or truth values made of a float that would fit."""
    if item.sort not in CONVERSIONS:
        return None
    like = values[0].shape if values else None

    def fits(value: Value) -> bool:
        if value.dtype != "f" or not (value.rank == len(item.shape) or (value.rank > 0 and has_rest(item.parameter))):
            return False
        given = Value(value.name, item.sort, value.shape)
        return like is None or item.parameter.pattern is None or matches(unifier, item.parameter, given)

    value = body.pick(fits)
    if value is None or not fits(value):
        return None
    made = body.bind(CONVERSIONS[item.sort].format(value.name), item.sort, value.shape)
    matches(unifier, item.parameter, made, keep=True)
    return made


def has_rest(parameter: Parameter) -> bool:
    return parameter.pattern is None or any(isinstance(item, ast.Rest) for item in parameter.pattern)


def matches(unifier: Unifier, parameter: Parameter, value: Value, keep: bool = False) -> bool:
    """Whether the value fits what the letters stand for by now; `keep`: they stand for its sizes from now on."""
    if parameter.variadic:
        return True
    before = dict(unifier.dims), dict(unifier.groups), dict(unifier.dtypes), dict(unifier.origin)
    try:
        unifier.match(parameter, TensorType(dtype=DTYPES[value.dtype], shape=value.shape))
    except Mismatch:
        keep = False
        fits = False
    else:
        fits = True
    if not keep:
        unifier.dims, unifier.groups, unifier.dtypes, unifier.origin = before
    return fits


def made(body: Body, unifier: Unifier, item: Operand, values: Sequence[Value]) -> Value | None:
    """A new value: a weight, or one computed from the first operand."""
    shape = wanted_shape(unifier, item)
    if item.sort == "f" and not body.fixed and shape and body.weighable(shape) and all(dim.is_constant for dim in shape):
        if elements(shape) > MOST_ELEMENTS:
            return None
        value = Value(weight(body, shape), "f", shape)
    elif values and values[0].shape == shape and values[0].dtype == "f":
        value = body.bind(CONVERSIONS.get(item.sort, "{} * 0.7 + 0.1").format(values[0].name), item.sort, shape)
    else:
        return None
    matches(unifier, item.parameter, value, keep=True)
    return value


def wanted_shape(unifier: Unifier, item: Operand) -> tuple[Dim, ...]:
    """The pattern with what its letters stand for; sizes of the sample for the others."""
    pattern = item.parameter.pattern
    if pattern is None:
        return tuple(map(Dim.of, item.shape))
    fixed = sum(not isinstance(part, ast.Rest) for part in pattern)
    shape: list[Dim] = []
    for part in pattern:
        rest = isinstance(part, ast.Rest)
        at = len(shape)
        own = item.shape[at : at + len(item.shape) - fixed] if rest else item.shape[at : at + 1]
        if rest:
            shape += unifier.groups.get(part.name.id, tuple(map(Dim.of, own)))
        elif isinstance(part, ast.Int):
            shape.append(Dim.of(part.value))
        else:
            shape.append(unifier.dims.get(part.id, Dim.of(own[0] if own else 1)))
    return tuple(shape)


# ---- settings -------------------------------------------------------------------------------------------------------------------------


def settings(body: Body, row: Op, case: Case, first: Value) -> dict[str, Any]:
    """Those of the sample, some drawn anew."""
    attrs = {key: DType.f32 if value is DType.f64 else value for key, value in case.attrs.items()}
    for parameter in setting_parameters(row.name):
        if body.chance(0.5):
            value = drawn(body, parameter, attrs.get(parameter.name, parameter.default), first)
            if value is not None:
                attrs[parameter.name] = value
    return attrs


def drawn(body: Body, parameter: Parameter, old: Any, first: Value) -> Any:
    """Another value for a setting, or None."""
    rng = body.rng
    axes = max(first.rank - 2, 0)
    if parameter.name == "axis":
        return body.axis(first) if first.rank else None
    if parameter.name == "stream":
        return None
    if parameter.kind == "bool":
        return rng.random() < 0.5
    if parameter.kind == "sizes" and parameter.name != "size":
        return rng.choice((1, 2, 3, tuple(rng.choice((1, 2, 3)) for _ in range(axes))))
    if parameter.kind == "padding":
        return rng.choice((0, 1, "same", tuple((rng.randint(0, 1), rng.randint(0, 2)) for _ in range(axes))))
    if parameter.kind == "float" and isinstance(old, float):
        return round(old * rng.choice((0.5, 1.0, 1.5)), 6)
    if parameter.kind == "shape" and body.writable(first.shape):
        return first.shape
    return None


# ---- text -----------------------------------------------------------------------------------------------------------------------------


def write(body: Body, row: Op, case: Case, values: Sequence[Value], attrs: Mapping[str, Any], results: Sequence[TensorType]) -> None:
    texts = [
        (f"{item.name}=" if item.name else "") + kept_inside(item, value, values[0])
        for item, value in zip(operands(row, case), values, strict=True)
    ]
    args = texts[1:] + [
        f"{key}={written(value)}" for key, value in attrs.items() if key not in ("optional", "stream") and value is not None
    ]
    text = called(
        body, f"op.{row.name}" if row.name in standard_layers() else row.name, f"({texts[0]})" if " " in texts[0] else texts[0], args
    )
    if len(results) == 1:
        body.bind(text, SORTS[results[0].dtype], results[0].shape)
        return
    names = [Value(body.names.fresh("v"), SORTS[result.dtype], result.shape) for result in results]
    body.line(f"{', '.join(value.name for value in names)} = {text}")
    for value in names:
        body.add(value)


def kept_inside(item: Operand, value: Value, first: Value) -> str:
    """The operand, brought into the range of the sample's numbers; indices into the smallest axis."""
    name = value.name
    if item.sort == "f":
        if item.low >= 0:
            return f"abs({name}) + {max(round(item.low, 2), 0.3)}"
        return f"tanh({name}) * 0.9" if max(-item.low, item.high) <= 1 else name
    if item.sort == "i64" and (item.low >= 0 or item.parameter.name in ("label", "index")):
        sizes = [dim.constant for dim in first.shape if dim.is_constant] if value is not first else []
        inside = f"{name} % {max(1, min([int(item.high) + 1, *sizes]))}"
        return f"{inside} + 1" if item.low >= 1 and item.parameter.name == "b" else inside
    return name


def written(value: Any) -> str:
    """A setting as text; a dtype by its name."""
    if isinstance(value, (tuple, list)):
        return list_text([written(item) for item in value])
    return value.value if isinstance(value, DType) else shown(value)
