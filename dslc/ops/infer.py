"""Binding, inference and evaluation of rows: what the elaborator, the passes and the runtimes ask of the table.

Unification: the letters of a signature stand for dims (`[batch, c, *s]`) and dtypes (`f`, `i`, `n`, `t`); equal letters are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from dslc.ir.graph import Attr
from dslc.ir.types import Dim, DType, TensorType
from dslc.ops.table import Mismatch, Op, lookup
from dslc.syntax import ast

DTYPE_CLASSES: dict[str, tuple[str, Callable[[DType], bool]]] = {
    "f": ("a float", lambda d: d.is_float),
    "i": ("an integer", lambda d: d.is_int),
    "n": ("a number", lambda d: d.is_float or d.is_int),
    "t": ("anything", lambda d: True),
}
SETTING_TYPES = frozenset(["int", "float", "bool", "string", "number", "dtype", "shape", "axes", "sizes", "padding", "scalar"])
REQUIRED = object()
MOST = 2**31  # of a window's numbers


class Parameter:
    """One parameter of a signature: a tensor (with pattern) or a setting (with type and default)."""

    def __init__(self, parm: ast.Parm) -> None:
        self.name = parm.name.id
        self.type = parm.type
        dtype = parm.type.dtype.id if parm.type is not None and parm.type.dtype is not None else ""
        of = parm.type.dims[0].id if dtype == "list" and parm.type.dims and isinstance(parm.type.dims[0], ast.Name) else ""  # type: ignore[union-attr]
        self.variadic = dtype == "list" and of == "t"
        self.tensor = self.variadic or not ((dtype in SETTING_TYPES and parm.type.dims is None) or dtype == "list")  # type: ignore[union-attr]
        self.kind = f"list[{of}]" if dtype == "list" and not self.variadic else dtype
        absent = isinstance(parm.default, ast.Name) and parm.default.id == "none"
        self.optional = self.tensor and absent
        self.default: Any = REQUIRED if parm.default is None else None if absent else literal(parm.default)

    @property
    def pattern(self) -> tuple[Any, ...] | None:
        return self.type.dims if self.type is not None else None


def literal(expr: ast.Expr) -> Any:
    """The value of a default in a signature."""
    if isinstance(expr, (ast.Int, ast.Float, ast.Bool, ast.String)):
        return expr.value
    if isinstance(expr, ast.Neg):
        return -literal(expr.value)
    if isinstance(expr, ast.List):
        return tuple(literal(item) for item in expr.items)  # type: ignore[arg-type]
    assert isinstance(expr, ast.Name), f"not a literal default: {expr.span.text}"
    return DType(expr.id)


@cache
def parameters(name: str) -> tuple[Parameter, ...]:
    return tuple(Parameter(parm) for parm in lookup(name).signature.parms)


@cache
def tensor_parameters(name: str) -> tuple[Parameter, ...]:
    return tuple(p for p in parameters(name) if p.tensor)


@cache
def setting_parameters(name: str) -> tuple[Parameter, ...]:
    return tuple(p for p in parameters(name) if not p.tensor)


# ---- attributes -------------------------------------------------------------------------------------------------------------


def bind_attrs(name: str, attrs: Mapping[str, Any], types: Sequence[TensorType] = ()) -> dict[str, Attr]:
    """Complete attributes in canonical form: defaults filled in, types checked. Raises Mismatch.

    With the input types given, `sizes` become one int for each spatial axis and `padding` one (before, after) pair for each; there are as
    many spatial axes as the setting `size` has entries, or the first input behind batch and channels.
    """
    known = {p.name: p for p in setting_parameters(name)}
    bound: dict[str, Attr] = {}
    if not (known or attrs):
        return bound
    for key in attrs:
        if key not in known and key != "optional":
            raise Mismatch(key, f"`{name}` has no setting `{key}`")
    for key, parameter in known.items():
        value = attrs.get(key, parameter.default)
        if value is REQUIRED:
            raise Mismatch(key, f"`{name}` needs `{key}`")
        bound[key] = value if value is None and parameter.default is None else canonical(name, parameter, value)
    if "stride" in bound and bound["stride"] is None:
        bound["stride"] = bound["kernel"]
    size = bound.get("size")
    if types and types[0].rank > 2:
        axes = len(size) if isinstance(size, tuple) else types[0].rank - 2
        for key, parameter in known.items():
            if parameter.kind in ("sizes", "padding") and bound[key] is not None:
                bound[key] = spread(parameter, bound[key], axes)
    if attrs.get("optional"):
        bound["optional"] = tuple(attrs["optional"])
    return bound


def spread(parameter: Parameter, value: Any, axes: int) -> Attr:
    """`sizes` and `padding` written out for each of the spatial axes; bounds are checked here: 0 is allowed where it is the default."""
    least = 0 if parameter.kind == "padding" or parameter.default == 0 else 1
    if value == "same":
        return "same"
    items = (value,) * axes if isinstance(value, int) else tuple(value)
    if len(items) != axes:
        raise Mismatch(
            parameter.name, f"`{parameter.name}` has {len(items)} entries for {axes} spatial axes", wanted=str(axes), found=shown(value)
        )
    for number in (n for item in items for n in (item if isinstance(item, tuple) else (item,))):
        if not least <= number <= MOST:
            bound, sign = (f"at least {least}", ">=") if number < least else (f"at most {MOST}", "<=")
            raise Mismatch(parameter.name, f"`{parameter.name}` is {bound}", wanted=f"{sign} {bound.split()[-1]}", found=str(number))
    if parameter.kind == "sizes":
        return items
    return tuple(item if isinstance(item, tuple) else (item, item) for item in items)


def canonical(name: str, parameter: Parameter, value: Any) -> Attr:
    """The value in the form that rows see; Mismatch if it has another type."""
    if isinstance(value, list):
        value = tuple(value)
    if isinstance(value, Dim) and value.is_constant:
        value = value.constant
    if isinstance(value, tuple):
        value = tuple(v.constant if isinstance(v, Dim) and v.is_constant else tuple(v) if isinstance(v, list) else v for v in value)
    words, fits = KINDS[parameter.kind]
    if not fits(value):
        raise Mismatch(parameter.name, f"`{parameter.name}` of `{name}` is {words}", wanted=words, found=shown(value))
    if parameter.kind == "float":
        return float(value)
    return value  # type: ignore[no-any-return]


def shown(value: Any) -> str:
    """A compile-time value as people write it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and not isinstance(value, DType):
        return f'"{value}"'
    if isinstance(value, tuple):
        return f"[{', '.join(shown(v) for v in value)}]"
    return "none" if value is None else str(value)


def is_int(v: Any) -> bool:
    return isinstance(v, int) and not isinstance(v, bool)


def is_number(v: Any) -> bool:
    return isinstance(v, (int, float)) and not isinstance(v, bool)


def is_size(v: Any) -> bool:
    return is_int(v) or isinstance(v, Dim)


def is_padding(v: Any) -> bool:
    if v == "same" or is_int(v):
        return True
    return isinstance(v, tuple) and all(
        is_int(item) or (isinstance(item, tuple) and len(item) == 2 and all(map(is_int, item))) for item in v
    )


KINDS: dict[str, tuple[str, Any]] = {
    "int": ("an int", is_int),
    "float": ("a float", is_number),
    "number": ("a number", is_number),
    "bool": ("true or false", lambda v: isinstance(v, bool)),
    "string": ("a string", lambda v: isinstance(v, str)),
    "dtype": ("a dtype", lambda v: isinstance(v, DType)),
    "size": ("a size", is_size),
    "shape": ("a shape", lambda v: isinstance(v, tuple) and all(map(is_size, v))),
    "axes": ("an int or a list of ints", lambda v: is_int(v) or (isinstance(v, tuple) and all(map(is_int, v)))),
    "sizes": ("an int, or one for each spatial axis", lambda v: is_int(v) or (isinstance(v, tuple) and all(map(is_int, v)))),
    "padding": ('an int, one for each spatial axis, [before, after] pairs, or "same"', is_padding),
    "list[int]": ("a list of ints", lambda v: isinstance(v, tuple) and all(map(is_int, v))),
    "list[float]": ("a list of numbers", lambda v: isinstance(v, tuple) and all(map(is_number, v))),
    "list[size]": ("a list of sizes", lambda v: isinstance(v, tuple) and all(map(is_size, v))),
    "scalar": ("a number or a list of numbers", lambda v: True),
}
SETTING_TYPES = SETTING_TYPES | {"size"}


def resolve_attrs(attrs: Mapping[str, Attr], dims: Mapping[str, int]) -> dict[str, Attr]:
    """Attributes with every symbolic size replaced by its value."""

    def resolve(value: Any) -> Any:
        if isinstance(value, Dim):
            return value.evaluate(dims)
        if isinstance(value, tuple):
            return tuple(resolve(item) for item in value)
        return value

    return {key: resolve(value) for key, value in attrs.items()}


# ---- inputs ---------------------------------------------------------------------------------------------------------------------


def split_inputs(name: str, inputs: Sequence[Any], attrs: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Required inputs positionally; the optional ones that are present, by name."""
    present: tuple[str, ...] = tuple(attrs.get("optional") or ())
    key = [inputs[-1]] if lookup(name).random else []
    rest = list(inputs[: len(inputs) - len(key)])
    required = rest[: len(rest) - len(present)]
    return required + key, dict(zip(present, rest[len(required) :], strict=True))


def evaluate(name: str, xp: Any, inputs: Sequence[Any], attrs: Mapping[str, Any]) -> tuple[Any, ...]:
    """Run a row's reference on arrays. `attrs` are resolved. Always a tuple of results."""
    row = lookup(name)
    assert row.eval is not None, f"{name} cannot be run: it stands by its signature only"
    positional, keyword = split_inputs(name, inputs, attrs)
    settings = {key: value for key, value in attrs.items() if key != "optional"}
    result = row.eval(xp, *positional, **keyword, **settings)
    return result if isinstance(result, tuple) else (result,)


# ---- types -----------------------------------------------------------------------------------------------------------------------


class Unifier:
    """Binds the letters of a signature to dims and dtypes; `origin` remembers which argument bound each."""

    def __init__(self, name: str, broadcast: bool = False) -> None:
        self.name = name
        self.broadcast = broadcast
        self.dims: dict[str, Dim] = {}
        self.groups: dict[str, tuple[Dim, ...]] = {}
        self.dtypes: dict[str, DType] = {}
        self.origin: dict[str, str] = {}

    def match(self, parameter: Parameter, type: TensorType) -> None:
        self.match_dtype(parameter, type)
        if parameter.pattern is None:
            return
        rests = [at for at, item in enumerate(parameter.pattern) if isinstance(item, ast.Rest)]
        fixed = len(parameter.pattern) - len(rests)
        if (not rests and type.rank != fixed) or type.rank < fixed:
            axes = f"{fixed} axes" if not rests else f"at least {fixed} axes"
            raise Mismatch(
                parameter.name, f"`{parameter.name}` of `{self.name}` has {axes}", wanted=pattern_text(parameter), found=str(type)
            )
        before = rests[0] if rests else fixed
        after = fixed - before
        for axis, item in enumerate(parameter.pattern[:before]):
            self.match_dim(parameter, type, item, axis)
        if rests:
            self.match_group(parameter, parameter.pattern[before].name.id, type, before, type.rank - after)
            for at, item in enumerate(parameter.pattern[before + 1 :]):
                self.match_dim(parameter, type, item, type.rank - after + at)

    def match_dtype(self, parameter: Parameter, type: TensorType) -> None:
        letter = parameter.type.dtype.id if parameter.type is not None and parameter.type.dtype is not None else "t"
        base = letter.rstrip("0123456789")
        if base in DTYPE_CLASSES and letter not in DType.__members__:
            words, fits = DTYPE_CLASSES[base]
            if not fits(type.dtype):
                raise Mismatch(parameter.name, f"`{parameter.name}` of `{self.name}` is {words}", wanted=words, found=str(type))
            known = self.dtypes.setdefault(letter, type.dtype)
            self.origin.setdefault(f"dtype {letter}", parameter.name)
            if known != type.dtype:
                other = self.origin[f"dtype {letter}"]
                reason = f"`{other}` is {known} and `{parameter.name}` is {type.dtype}"
                raise Mismatch(parameter.name, reason, wanted=str(known), found=str(type.dtype), other=other)
            return
        wanted = DType(letter)
        if type.dtype != wanted and not (wanted is DType.i64 and type.dtype.is_int):
            raise Mismatch(parameter.name, f"`{parameter.name}` of `{self.name}` is {wanted}", wanted=str(wanted), found=str(type.dtype))

    def match_dim(self, parameter: Parameter, type: TensorType, item: Any, axis: int) -> None:
        """One size; rows name all sizes by letters."""
        found, letter = type.shape[axis], item.id
        known = self.dims.setdefault(letter, found)
        other = self.origin.setdefault(letter, parameter.name)
        if known != found:
            self.fail(parameter, axis, str(known), str(found), other)

    def match_group(self, parameter: Parameter, letter: str, type: TensorType, start: int, stop: int) -> None:
        found = type.shape[start:stop]
        if self.broadcast:
            self.groups[letter] = self.broadcasted(parameter, self.groups.get(letter, ()), found, letter)
            return
        known = self.groups.setdefault(letter, found)
        other = self.origin.setdefault(f"*{letter}", parameter.name)
        if known == found:
            return
        if len(known) != len(found):
            reason = f"`{other}` and `{parameter.name}` of `{self.name}` have different numbers of axes"
            raise Mismatch(parameter.name, reason, wanted=f"{len(known)} axes", found=f"{len(found)} axes", other=other)
        axis = next(at for at, (a, b) in enumerate(zip(known, found, strict=True)) if a != b)
        self.fail(parameter, start + axis, str(known[axis]), str(found[axis]), other)

    def broadcasted(self, parameter: Parameter, known: tuple[Dim, ...], found: tuple[Dim, ...], letter: str) -> tuple[Dim, ...]:
        """NumPy's rule: aligned at the last axis, sizes equal or literally 1."""
        other = self.origin.setdefault(f"*{letter}", parameter.name)
        one = Dim.of(1)
        shape: list[Dim] = []
        for at in range(1, max(len(known), len(found)) + 1):
            left, right = (known[-at] if at <= len(known) else one), (found[-at] if at <= len(found) else one)
            if left != right and one not in (left, right):
                self.fail(parameter, len(found) - at, str(left), str(right), other)
            shape.append(right if left == one else left)
        return tuple(reversed(shape))

    def fail(self, parameter: Parameter, axis: int, wanted: str, found: str, other: str) -> None:
        reason = f"axis {axis} of `{parameter.name}` is {found}, `{self.name}` needs {wanted} (as `{other}` has)"
        raise Mismatch(parameter.name, reason, wanted=wanted, found=found, axis=axis, other=other)

    def result(self, type: ast.Type) -> TensorType:
        shape: list[Dim] = []
        for item in type.dims or ():
            if isinstance(item, ast.Rest):
                shape += self.groups[item.name.id]
            else:
                shape.append(Dim.of(item.value) if isinstance(item, ast.Int) else self.dims[item.id])  # type: ignore[union-attr]
        letter = type.dtype.id if type.dtype is not None else "t"
        return TensorType(dtype=self.dtypes[letter] if letter in self.dtypes else DType(letter), shape=tuple(shape))


def pattern_text(parameter: Parameter) -> str:
    return parameter.type.span.text if parameter.type is not None else "a tensor"


@lru_cache(maxsize=4096)
def known_types(name: str, inputs: tuple[TensorType, ...], attrs: tuple[tuple[str, Attr], ...]) -> tuple[TensorType, ...]:
    """`infer_types`, remembered: networks apply the same operator to the same types over and over. Raises Mismatch."""
    return infer_types(lookup(name), inputs, dict(attrs))


def infer_types(row: Op, inputs: Sequence[TensorType], attrs: Mapping[str, Attr]) -> tuple[TensorType, ...]:
    """Result types; raises Mismatch. Checks inputs against the signature even where a `shape` function computes the result."""
    name = row.name
    expected = tensor_parameters(name)
    positional, keyword = split_inputs(name, inputs, attrs)
    if row.random:
        positional = positional[:-1]
    unifier = Unifier(name, broadcast=row.kind == "elementwise")
    variadic = next((p for p in expected if p.variadic), None)
    required = [p for p in expected if not p.optional]
    if variadic is None:
        if len(positional) != len(required):
            raise Mismatch("", f"`{name}` takes {len(required)} tensors, {len(positional)} are given")
        for parameter, type in zip(required, positional, strict=True):
            unifier.match(parameter, type)
    elif not positional:
        raise Mismatch(variadic.name, f"`{name}` needs at least one tensor")
    for parameter in expected:
        if parameter.name in keyword:
            unifier.match(parameter, keyword[parameter.name])
    if row.shape is not None:
        settings = {key: value for key, value in attrs.items() if key != "optional"}
        result = row.shape(*positional, **keyword, **settings)
        return result if isinstance(result, tuple) else (result,)
    return tuple(unifier.result(type) for type in row.signature.results)
