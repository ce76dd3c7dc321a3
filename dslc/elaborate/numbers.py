"""Arithmetic of compile-time values: ints, floats, truth values, lists and symbolic sizes (R8)."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass

from dslc.elaborate.values import Value, is_int, is_number, leaves, text_of
from dslc.ir.types import Dim, DType

LARGEST = 2**63
DOUBT = 32  # a term of a comparison counts as much as so many pairs of names
MOST_ITEMS = 100_000
MOST_TERMS = 64  # monomials of a symbolic size
MOST_WEIGHT = 512  # names in the terms of a symbolic size, counted with their powers
MOST_NESTED = 16  # quotients of symbolic sizes within each other
MOST_EXPANSION = 1024  # terms that a question about the sign of a symbolic size looks at
MOST_POWER = 8


@dataclass
class Failed(Exception):
    """Why an operation has no value: the name of a diagnostic and its facts."""

    kind: str
    text: str = ""


def is_size(value: Value) -> bool:
    return is_int(value) or isinstance(value, Dim)


def checked(value: Value) -> Value:
    """The value, or Failed where it is out of range."""
    if is_int(value) and not -LARGEST <= value < LARGEST:
        raise Failed("large", "an int has at most 64 bits")
    if isinstance(value, float) and not math.isfinite(value):
        raise Failed("large", "this number is too large for a float")
    if isinstance(value, Dim):
        if value.is_constant:
            return checked(value.constant)
        if len(value.terms) > MOST_TERMS or value.weight > MOST_WEIGHT or value.nesting > MOST_NESTED or value.expansion > MOST_EXPANSION:
            raise Failed("large", "this size is too complicated")
    return value


def arithmetic(op: str, left: Value, right: Value) -> Value:
    """`left op right` for `+ - * / // % ^`. Raises Failed."""
    if op == "+" and isinstance(left, tuple) and isinstance(right, tuple):
        return listed(left + right)
    if isinstance(left, Dim) or isinstance(right, Dim):
        return symbolic(op, left, right)
    if op not in NUMBERS or not (is_number(left) and is_number(right)):
        raise Failed("operands")
    try:
        return checked(NUMBERS[op](left, right))
    except ZeroDivisionError as error:
        raise Failed("zero") from error
    except OverflowError as error:
        raise Failed("large", "this number is too large for a float") from error


def listed(items: tuple[Value, ...]) -> tuple[Value, ...]:
    """The list, or Failed where it has too many items, those of its lists counted."""
    if leaves(items, MOST_ITEMS) > MOST_ITEMS:
        raise Failed("large", f"a list has at most {MOST_ITEMS:,} items")
    return items


def cost(op: str, left: Value, right: Value) -> int:
    """How much a calculation with symbolic sizes is: about the pairs of names that meet."""
    a, b = (value.weight if isinstance(value, Dim) else 1 for value in (left, right))
    if op == "^":
        return a * a * (min(right, MOST_POWER) if is_int(right) else 1)
    return a * b if op == "*" else a + b


def doubt(left: Value, right: Value) -> int:
    """How many terms a comparison of sizes looks at."""
    found = [value.expansion for value in (left, right) if isinstance(value, Dim)]
    return sum(found) * DOUBT


def power(base: Value, exponent: Value) -> Value:
    if is_int(base) and is_int(exponent) and exponent >= 0:
        if abs(base) > 1 and exponent > 63:
            raise Failed("large", "an int has at most 64 bits")
        return base**exponent
    if base == 0 and exponent < 0:
        raise Failed("zero")
    result = float(base) ** float(exponent)
    if isinstance(result, complex):
        raise Failed("operands")
    return result


NUMBERS: dict[str, Callable[[Value, Value], Value]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda a, b: a / b,
    "//": operator.floordiv,
    "%": operator.mod,
    "^": power,
}


def symbolic(op: str, left: Value, right: Value) -> Value:
    """Sizes are polynomials: + - * of sizes, // and % by a fixed number, ^ by a small one."""
    if not (is_size(left) and is_size(right)):
        raise Failed("symbolic" if is_number(left) or is_number(right) else "operands")
    a, b = Dim.of(left), Dim.of(right)
    if op in ("+", "-"):
        return checked(a + b if op == "+" else a - b)
    if op == "*":
        return checked(a * b)
    if op in ("//", "%"):
        return quotient(op, a, b)
    if op == "^" and is_int(right) and 0 <= right <= MOST_POWER:
        result: Value = 1
        for _ in range(right):
            result = checked(Dim.of(result) * a)
        return result
    raise Failed("symbolic")


def quotient(op: str, a: Dim, b: Dim) -> Value:
    if b.is_constant:
        if b.constant == 0:
            raise Failed("zero")
        if b.constant < 1:
            raise Failed("symbolic")
        return checked(a // b.constant if op == "//" else a % b.constant)
    exact = a.exact_div(b)
    if exact is None:
        raise Failed("symbolic")
    return checked(exact) if op == "//" else 0


# ---- comparisons and logic --------------------------------------------------------------------------------------------------

ORDER: dict[str, Callable[[Value, Value], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
# What a comparison says for each sign of `left - right`.
SIGNS: dict[str, tuple[bool, bool, bool]] = {  # -1, 0, 1
    "==": (False, True, False),
    "!=": (True, False, True),
    "<": (True, False, False),
    "<=": (True, True, False),
    ">": (False, False, True),
    ">=": (False, True, True),
}


def compare(op: str, left: Value, right: Value) -> bool:
    """`left op right`, decided at compile time. Raises Failed: "condition" where it depends on symbolic sizes."""
    if isinstance(left, Dim) or isinstance(right, Dim):
        return compare_sizes(op, left, right)
    if op in ("==", "!="):
        same = comparable(left, right)
        if not same:
            raise Failed("operands")
        return bool(left == right) if op == "==" else bool(left != right)
    if is_number(left) and is_number(right):
        return bool(ORDER[op](left, right))
    raise Failed("operands")


def comparable(left: Value, right: Value) -> bool:
    if is_number(left) and is_number(right):
        return True
    for kind in (bool, DType, str, tuple):
        if isinstance(left, kind) and isinstance(right, kind):
            return isinstance(left, DType) == isinstance(right, DType)
    return False


def compare_sizes(op: str, left: Value, right: Value) -> bool:
    if not (is_size(left) and is_size(right)):
        raise Failed("condition" if is_number(left) or is_number(right) else "operands")
    difference = Dim.of(left) - Dim.of(right)
    sign = difference.sign()
    if sign is not None:
        return SIGNS[op][sign + 1]
    return bounded(op, difference)


def bounded(op: str, difference: Dim) -> bool:
    """Decide from a bound that touches zero: `batch >= 1`, `batch < 1`."""
    low, negated = difference.lower(), (-difference).lower()
    if low is not None and low >= 0 and op in (">=", "<"):
        return op == ">="
    if negated is not None and negated >= 0 and op in ("<=", ">"):
        return op == "<="
    raise Failed("condition")


def shown(op: str, left: Value, right: Value) -> str:
    return f"{text_of(left)} {op} {text_of(right)}"


# ---- functions on numbers ----------------------------------------------------------------------------------------------------

FUNCTIONS: dict[str, Callable[..., Value]] = {
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log": math.log,
    "tanh": math.tanh,
    "abs": abs,
    "min": min,
    "max": max,
    "minimum": min,
    "maximum": max,
}
"""Operators that also take compile-time numbers and then give one."""


def function(name: str, values: tuple[Value, ...]) -> Value:
    """An operator on numbers alone. Raises Failed."""
    if FUNCTIONS[name] in (min, max) and len(values) == 1:
        return values[0]
    try:
        return checked(FUNCTIONS[name](*values))
    except (ValueError, ZeroDivisionError) as error:
        raise Failed("domain", f"`{name}` has no value for {', '.join(text_of(v) for v in values)}") from error
    except OverflowError as error:
        raise Failed("large", "this number is too large for a float") from error
