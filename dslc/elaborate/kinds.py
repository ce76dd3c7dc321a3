"""The types of compile-time values (`int`, `list[float]`, `padding`): what fits, and in which form it is kept."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite

from dslc.elaborate.values import POISON, LayerValue, Value, is_int, is_number, is_poison, text_of, words_of
from dslc.ir.types import Dim, DType
from dslc.ops.infer import is_padding
from dslc.program import Init
from dslc.syntax import ast

Fits = Callable[[Value], bool]
MOST_DIM = 2**31


def is_size(value: Value) -> bool:
    return is_int(value) or isinstance(value, Dim)


def ints(value: Value) -> bool:
    return isinstance(value, tuple) and all(map(is_int, value))


SIMPLE: dict[str, tuple[str, Fits]] = {
    "int": ("an int", is_int),
    "float": ("a float", is_number),
    "number": ("a number", is_number),
    "bool": ("true or false", lambda v: isinstance(v, bool)),
    "string": ("a string", lambda v: isinstance(v, str) and not isinstance(v, DType)),
    "dtype": ("a dtype", lambda v: isinstance(v, DType)),
    "init": ("an initialiser", lambda v: isinstance(v, Init)),
    "layer": ("a layer", lambda v: isinstance(v, LayerValue)),
    "size": ("a size", is_size),
    "shape": ("a shape", lambda v: isinstance(v, tuple) and all(map(is_size, v))),
    "axes": ("an int or a list of ints", lambda v: is_int(v) or ints(v)),
    "sizes": ("an int, or one for each spatial axis", lambda v: is_int(v) or ints(v)),
    "padding": ('an int, one for each spatial axis, [before, after] pairs, or "same"', is_padding),
    "scalar": ("a number or a list of numbers", lambda v: is_number(v) or isinstance(v, (bool, tuple))),
}


def kind_text(type: ast.Type | None) -> str:
    """`list[list[int]]` as it is written, without blanks; "" for a tensor of any type."""
    return "" if type is None else "".join(type.span.flat.split())


def is_setting(kind: str) -> bool:
    """Whether a parameter of this type is a compile-time value (a tensor's type has brackets and is no list)."""
    if kind.startswith("list["):
        return kind.endswith("]") and known(kind)
    return kind in SIMPLE


def known(kind: str) -> bool:
    """Whether the text is a type of compile-time values."""
    while kind.startswith("list[") and kind.endswith("]"):
        kind = kind[5:-1]
    return kind in SIMPLE


def words(kind: str) -> str:
    """What a value of this type is: `a list of ints`."""
    depth = 0
    while kind.startswith("list[") and kind.endswith("]"):
        kind, depth = kind[5:-1], depth + 1
    plural = {"int": "ints", "float": "numbers", "number": "numbers", "string": "strings", "bool": "truth values", "size": "sizes"}
    text = SIMPLE[kind][0]
    for level in range(depth):
        text = f"a list of {plural.get(kind, kind + 's') if level == 0 else 'lists of ' + plural.get(kind, kind + 's')}"
    return text


def described(kind: str, value: Value) -> str:
    """What a value is that does not fit: in a list the first item that does not, with its place; a number that is out of range."""
    if isinstance(value, tuple):
        inner = kind[5:-1] if kind.startswith("list[") else "size" if kind == "shape" else "int"
        for at, item in enumerate(value):
            if convert(inner, item) is None:
                found = described(inner, item)
                return found if found.startswith("a list with ") else f"a list with {found} (item {at})"
    if isinstance(value, float) and not isfinite(value):
        return text_of(value)
    return words_of(value)


def in_range(value: Value) -> bool:
    """Ints have 64 bits, floats are finite: what comes from outside may not."""
    return not (isinstance(value, float) and not isfinite(value)) and not (is_int(value) and not -(2**63) <= value < 2**63)


def convert(kind: str, value: Value) -> Value | None:
    """The value in the form that it is kept in; None if it is not of this type. Poison fits everywhere."""
    if is_poison(value):
        return POISON
    if kind.startswith("list[") and kind.endswith("]"):
        if not isinstance(value, tuple):
            return None
        items = tuple(convert(kind[5:-1], item) for item in value)
        return None if any(item is None for item in items) else items
    if not SIMPLE[kind][1](value) or not in_range(value):
        return None
    return float(value) if kind == "float" else value
