"""Values in lanes with Python's operators, so that a function of numbers reads like its formula.

Only sums, products, quotients, square roots and fused products and sums of IEEE 754, and whole numbers of two's complement are used:
the same bits on every machine, for any number of lanes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from runtime.kernels.native.coefficients import COEFFICIENTS, PAIRS
from runtime.kernels.native.text import Code, llvm_type, mangled

Number = float | int


def literal(value: float, dtype: str) -> str:
    """A constant as LLVM writes it: floats by the bits of the nearest double that their type can hold."""
    if dtype == "bool":
        return "true" if value else "false"
    if not dtype.startswith("float"):
        return str(int(value))
    with np.errstate(over="ignore"):
        exact = np.float64(np.dtype(dtype).type(value))
    return f"0x{int(exact.view(np.uint64)):016X}"


@dataclass(frozen=True)
class Lanes:
    """name: LLVM's name of the value. A number beside a value is a constant of the same dtype."""

    code: Code
    name: str
    dtype: str
    lanes: int

    @property
    def type(self) -> str:
        return llvm_type(self.dtype, self.lanes)

    @property
    def floating(self) -> bool:
        return self.dtype.startswith("float")

    @property
    def integers(self) -> str:
        """The dtype of whole numbers of the same size."""
        return self.dtype.replace("float", "int")

    def made(self, text: str, dtype: str | None = None) -> Lanes:
        return Lanes(self.code, self.code.value(text), dtype or self.dtype, self.lanes)

    def number(self, value: Number) -> Lanes:
        text = literal(value, self.dtype)
        if self.lanes > 1:
            text = f"splat ({llvm_type(self.dtype)} {text})"
        return Lanes(self.code, text, self.dtype, self.lanes)

    def other(self, value: Lanes | Number) -> Lanes:
        return value if isinstance(value, Lanes) else self.number(value)

    def operation(self, word: str, value: Lanes | Number) -> Lanes:
        return self.made(f"{word} {self.type} {self.name}, {self.other(value).name}")

    def call(self, intrinsic: str, *args: Lanes) -> Lanes:
        full = self.code.intrinsic(intrinsic, self.type, 1 + len(args))
        return self.made(f"call {self.type} {full}({', '.join(f'{arg.type} {arg.name}' for arg in (self, *args))})")

    # ---- arithmetic -----------------------------------------------------------------------------------------------------------------

    def __add__(self, value: Lanes | Number) -> Lanes:
        return self.operation("fadd" if self.floating else "add", value)

    def __sub__(self, value: Lanes | Number) -> Lanes:
        return self.operation("fsub" if self.floating else "sub", value)

    def __mul__(self, value: Lanes | Number) -> Lanes:
        return self.operation("fmul" if self.floating else "mul", value)

    def __truediv__(self, value: Lanes | Number) -> Lanes:
        return self.operation("fdiv", value)

    def __radd__(self, value: Number) -> Lanes:
        return self.number(value) + self

    def __rsub__(self, value: Number) -> Lanes:
        return self.number(value) - self

    def __rmul__(self, value: Number) -> Lanes:
        return self.number(value) * self

    def __rtruediv__(self, value: Number) -> Lanes:
        return self.number(value) / self

    def __neg__(self) -> Lanes:
        return self.made(f"fneg {self.type} {self.name}") if self.floating else self.number(0) - self

    def __abs__(self) -> Lanes:
        return self.call("fabs") if self.floating else where(self < 0, -self, self)

    def sqrt(self) -> Lanes:
        return self.call("sqrt")

    def floor(self) -> Lanes:
        return self.call("floor")

    def with_sign(self, value: Lanes) -> Lanes:
        return self.call("copysign", value)

    def fma(self, factor: Lanes | Number, term: Lanes | Number) -> Lanes:
        """self · factor + term, rounded once."""
        return self.call("fma", self.other(factor), self.other(term))

    # ---- whole numbers --------------------------------------------------------------------------------------------------------------

    def __and__(self, value: Lanes | Number) -> Lanes:
        return self.operation("and", value)

    def __xor__(self, value: Lanes | Number) -> Lanes:
        return self.operation("xor", value)

    def __or__(self, value: Lanes | Number) -> Lanes:
        return self.operation("or", value)

    def __lshift__(self, count: int) -> Lanes:
        return self.operation("shl", count)

    def __rshift__(self, count: int) -> Lanes:
        """Of signed numbers the sign moves in."""
        return self.operation("lshr" if self.dtype.startswith("uint") else "ashr", count)

    # ---- questions ------------------------------------------------------------------------------------------------------------------

    def compare(self, word: str, value: Lanes | Number) -> Lanes:
        kind = "fcmp" if self.floating else "icmp"
        return self.made(f"{kind} {word} {self.type} {self.name}, {self.other(value).name}", "bool")

    def ordered(self, word: str, value: Lanes | Number) -> Lanes:
        """Of floats false where one is NaN."""
        return self.compare(("o" if self.floating else "s" if self.dtype.startswith("int") else "u") + word, value)

    def __lt__(self, value: Lanes | Number) -> Lanes:
        return self.ordered("lt", value)

    def __gt__(self, value: Lanes | Number) -> Lanes:
        return self.ordered("gt", value)

    def __le__(self, value: Lanes | Number) -> Lanes:
        return self.ordered("le", value)

    def __ge__(self, value: Lanes | Number) -> Lanes:
        return self.ordered("ge", value)

    def equals(self, value: Lanes | Number) -> Lanes:
        return self.compare("oeq" if self.floating else "eq", value)

    def differs(self, value: Lanes | Number) -> Lanes:
        return self.compare("une" if self.floating else "ne", value)

    def is_nan(self) -> Lanes:
        return self.compare("uno", self)

    # ---- conversions ----------------------------------------------------------------------------------------------------------------

    def bits(self) -> Lanes:
        """The bits of a float as a whole number."""
        return self.made(f"bitcast {self.type} {self.name} to {llvm_type(self.integers, self.lanes)}", self.integers)

    def float_of_bits(self) -> Lanes:
        dtype = self.dtype.replace("uint", "float").replace("int", "float")
        return self.made(f"bitcast {self.type} {self.name} to {llvm_type(dtype, self.lanes)}", dtype)

    def converted(self, word: str, dtype: str) -> Lanes:
        return self.made(f"{word} {self.type} {self.name} to {llvm_type(dtype, self.lanes)}", dtype)


def where(condition: Lanes, yes: Lanes, no: Lanes | Number) -> Lanes:
    other = yes.other(no)
    return yes.made(f"select {condition.type} {condition.name}, {yes.type} {yes.name}, {other.type} {other.name}")


def at_most(x: Lanes, limit: Number) -> Lanes:
    """NaN stays."""
    return where(x > limit, x.number(limit), x)


def at_least(x: Lanes, limit: Number) -> Lanes:
    """NaN stays."""
    return where(x < limit, x.number(limit), x)


def pair(name: str, x: Lanes) -> tuple[float, float]:
    """A number as a sum of two of the dtype of x."""
    return PAIRS[name, x.dtype]


def polynomial(name: str, x: Lanes) -> Lanes:
    """Horner's rule on a row of `coefficients.py`."""
    *rest, total = (x.number(coefficient) for coefficient in COEFFICIENTS[name, x.dtype])
    for coefficient in reversed(rest):
        total = total.fma(x, coefficient)
    return total


def define(code: Code, function: Callable[..., Lanes], args: Sequence[Lanes]) -> Lanes:
    """A call of a function of lanes, which is defined once for each module, dtype and number of lanes."""
    first = args[0]
    name = f"@{function.__name__}.{mangled(first.type)}"
    if name not in code.declared:
        code.declare(name, definition(code, name, function, args))
    return first.made(f"call {first.type} {name}({', '.join(f'{arg.type} {arg.name}' for arg in args)})")


def definition(code: Code, name: str, function: Callable[..., Lanes], args: Sequence[Lanes]) -> str:
    body = Code()
    body.declared = code.declared
    body.label("entry")
    params = [Lanes(body, f"%x{i}", arg.dtype, arg.lanes) for i, arg in enumerate(args)]
    result = function(*params)
    body.do(f"ret {result.type} {result.name}")
    head = f"define internal {result.type} {name}({', '.join(f'{param.type} {param.name}' for param in params)}) alwaysinline"
    return "\n".join([f"{head} {{", *body.lines, "}", ""])


def entry(name: str, dtype: str, table: Sequence[int], place: Lanes) -> Lanes:
    """table[place] in every lane; the table is written once for each module."""
    code, scalar, lanes = place.code, llvm_type(dtype), place.lanes
    items = ", ".join(f"{scalar} {item}" for item in table)
    code.declare(f"@{name}", f"@{name} = internal constant [{len(table)} x {scalar}] [{items}]")
    pointers = code.value(f"getelementptr {scalar}, ptr @{name}, {place.type} {place.name}")
    if lanes == 1:
        return place.made(f"load {scalar}, ptr {pointers}", dtype)
    type, pointer_type, mask_type = llvm_type(dtype, lanes), f"<{lanes} x ptr>", f"<{lanes} x i1>"
    gather = f"@llvm.masked.gather.{mangled(type)}.v{lanes}p0"
    size = int(dtype[-2:]) // 8
    code.declare(gather, f"declare {type} {gather}({pointer_type}, {mask_type}, {type})")
    call = f"call {type} {gather}({pointer_type} align {size} {pointers}, {mask_type} splat (i1 true), {type} zeroinitializer)"
    return place.made(call, dtype)


def either(common: Lanes, usual: tuple[Lanes, ...], rare: Callable[[], tuple[Lanes, ...]]) -> tuple[Lanes, ...]:
    """`usual` where `common` holds, else `rare`, which is computed only where some lane needs it."""
    code, lanes = common.code, common.lanes
    bits = common.name if lanes == 1 else code.value(f"bitcast {common.type} {common.name} to i{lanes}")
    all_common = bits if lanes == 1 else code.value(f"icmp eq i{lanes} {bits}, -1")
    before, other, after = code.block, code.new_block("rare"), code.new_block("joined")
    code.do(f"br i1 {all_common}, label %{after}, label %{other}")
    code.label(other)
    chosen = [where(common, one, two) for one, two in zip(usual, rare(), strict=True)]
    code.do(f"br label %{after}")
    last = code.block
    code.label(after)
    return tuple(one.made(f"phi {one.type} [{one.name}, %{before}], [{two.name}, %{last}]") for one, two in zip(usual, chosen, strict=True))
