"""The scalar functions of loop nests in LLVM's language, for any number of lanes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf

from runtime.kernels.native import angles, functions, integers, powers
from runtime.kernels.native.lanes import Lanes, define, literal, where
from runtime.kernels.native.text import Code, llvm_type

__all__ = ["JOINS", "apply", "join_lanes", "literal", "number", "select"]

Emit = Callable[..., Lanes]
"""Writes a function of its arguments, which have one dtype."""


def number(code: Code, value: float, dtype: str, lanes: int) -> str:
    """A constant in every lane."""
    return Lanes(code, "", dtype, lanes).number(value).name


def select(code: Code, lanes: int, condition: str, yes: str, no: str, type: str) -> str:
    return code.value(f"select {llvm_type('bool', lanes)} {condition}, {type} {yes}, {type} {no}")


def kind(x: Lanes) -> str:
    """f, i (signed), u (unsigned) or b, as NumPy says."""
    return "b" if x.dtype == "bool" else x.dtype[0]


# ---- ways to write a function -------------------------------------------------------------------------------------------------------


def by_kind(**words: str) -> Emit:
    """An instruction of two arguments for each kind."""
    return lambda a, b: a.operation(words[kind(a)], b)


def called(floats: str, signed: str = "", unsigned: str = "") -> Emit:
    """An intrinsic of LLVM for each kind; where there is none, the argument stays as it is."""
    words = {"f": floats, "i": signed, "u": unsigned, "b": unsigned}
    return lambda *args: args[0].call(words[kind(args[0])], *args[1:]) if words[kind(args[0])] else args[0]


def native(function: Emit) -> Emit:
    """A function that is defined once for each module."""
    return lambda *args: define(args[0].code, function, args)


def by_size(single: Emit, double: Emit) -> Emit:
    return lambda *args: (single if args[0].dtype == "float32" else double)(*args)


def in_double(function: Emit) -> Emit:
    """A function for float64, and for float32 in float64."""
    return by_size(native(angles.in_double(function)), native(function))


def written(whole: Emit, floats: Emit) -> Emit:
    """Written in place: one for whole numbers, one for floats."""
    return lambda *args: (floats if kind(args[0]) == "f" else whole)(*args)


def asked(floats: Callable[[Lanes], Lanes], whole: bool) -> Emit:
    """What is asked of floats; of whole numbers the answer is always the same."""
    return lambda x: floats(x) if x.floating else Lanes(x.code, number(x.code, whole, "bool", x.lanes), "bool", x.lanes)


def logical(word: str) -> Emit:
    return lambda a, b: truth(a).operation(word, truth(b))


# ---- functions ----------------------------------------------------------------------------------------------------------------------


def truth(x: Lanes) -> Lanes:
    return x if x.dtype == "bool" else x.differs(0)


def sign(x: Lanes) -> Lanes:
    """-1, 0 or 1; NaN stays."""
    other = abs(x) if x.floating else x.number(0)
    below = other if kind(x) == "u" else where(x < 0, x.number(-1), other)
    return where(x > 0, x.number(1), below)


def maximum(a: Lanes, b: Lanes) -> Lanes:
    """NaN wins; of 0 and -0 the first. Where b is a number that is known, one instruction is left of it."""
    return where(b.is_nan(), b, where(a < b, b, a))


def minimum(a: Lanes, b: Lanes) -> Lanes:
    return where(b.is_nan(), b, where(a > b, b, a))


def fmax(a: Lanes, b: Lanes) -> Lanes:
    """NaN loses."""
    return where(a.is_nan(), b, where(a < b, b, a))


def fmin(a: Lanes, b: Lanes) -> Lanes:
    return where(a.is_nan(), b, where(a > b, b, a))


def sign_bit(x: Lanes) -> Lanes:
    return x.bits() < 0 if x.floating else x < 0


def cast(x: Lanes, dtype: str) -> Lanes:
    """As NumPy converts: towards zero for whole numbers, true where not zero."""
    if dtype in (x.dtype, "bool"):
        return truth(x) if dtype == "bool" else x
    if x.floating and not dtype.startswith("float"):
        return integers.whole(x, dtype)
    word = conversion(x.dtype, dtype)
    return x.converted(word, dtype) if word else x


def conversion(source: str, goal: str) -> str:
    """LLVM's word, but for floats that become whole numbers."""
    wider = integers.bits_of(goal) > integers.bits_of(source)
    unsigned = source[0] in "ub"
    if source.startswith("float"):
        return "fpext" if wider else "fptrunc"
    if goal.startswith("float"):
        return "uitofp" if unsigned else "sitofp"
    if integers.bits_of(goal) == integers.bits_of(source):
        return ""
    return ("zext" if unsigned else "sext") if wider else "trunc"


EMITTERS: dict[str, Emit] = {
    "add": by_kind(f="fadd", i="add", u="add", b="or"),
    "subtract": by_kind(f="fsub", i="sub", u="sub"),
    "multiply": by_kind(f="fmul", i="mul", u="mul", b="and"),
    "true_divide": by_kind(f="fdiv"),
    "floor_divide": written(integers.whole_floor_divide, integers.floor_divide),
    "remainder": written(integers.whole_remainder, integers.remainder),
    "fmod": written(integers.whole_fmod, integers.fmod),
    "maximum": written(called("", "smax", "umax"), maximum),
    "minimum": written(called("", "smin", "umin"), minimum),
    "fmax": written(called("", "smax", "umax"), fmax),
    "fmin": written(called("", "smin", "umin"), fmin),
    "negative": lambda x: -x,
    "absolute": lambda x: x if kind(x) in "ub" else abs(x),
    "sign": sign,
    "square": lambda x: x * x,
    "reciprocal": written(integers.whole_reciprocal, lambda x: 1.0 / x),
    "sqrt": called("sqrt"),
    "exp": native(functions.exp),
    "exp2": native(functions.exp2),
    "expm1": native(functions.expm1),
    "log": native(functions.log),
    "log1p": native(functions.log1p),
    "log2": native(functions.log2),
    "log10": native(functions.log10),
    "logaddexp": in_double(functions.logaddexp),
    "sinh": in_double(functions.sinh),
    "cosh": in_double(functions.cosh),
    "tanh": native(functions.tanh),
    "arcsinh": in_double(functions.arcsinh),
    "arccosh": in_double(functions.arccosh),
    "arctanh": in_double(functions.arctanh),
    "sin": native(angles.sin),
    "cos": native(angles.cos),
    "tan": native(angles.tan),
    "arctan": in_double(angles.arctan),
    "arctan2": in_double(angles.arctan2),
    "arcsin": in_double(angles.arcsin),
    "arccos": in_double(angles.arccos),
    "power": written(integers.whole_power, by_size(native(angles.in_double(powers.power_single)), native(powers.power_double))),
    "floor": called("floor"),
    "ceil": called("ceil"),
    "trunc": called("trunc"),
    "rint": called("rint"),
    "copysign": called("copysign"),
    "bitwise_and": by_kind(i="and", u="and", b="and"),
    "bitwise_or": by_kind(i="or", u="or", b="or"),
    "bitwise_xor": by_kind(i="xor", u="xor", b="xor"),
    "left_shift": integers.left_shift,
    "right_shift": integers.right_shift,
    "invert": lambda x: x ^ (1 if kind(x) == "b" else -1),
    "equal": Lanes.equals,
    "not_equal": Lanes.differs,
    "less": Lanes.__lt__,
    "less_equal": Lanes.__le__,
    "greater": Lanes.__gt__,
    "greater_equal": Lanes.__ge__,
    "isnan": asked(Lanes.is_nan, False),
    "isfinite": asked(lambda x: abs(x) < inf, True),
    "isinf": asked(lambda x: abs(x).equals(inf), False),
    "signbit": sign_bit,
    "logical_and": logical("and"),
    "logical_or": logical("or"),
    "logical_xor": logical("xor"),
    "logical_not": lambda x: truth(x) ^ 1,
    "where": where,
}


def apply(code: Code, function: str, args: Sequence[str], dtypes: Sequence[str], dtype: str, lanes: int) -> str:
    """Write one application; KeyError for a function that has no row."""
    operands = [Lanes(code, name, of, lanes) for name, of in zip(args, dtypes, strict=True)]
    return (cast(*operands, dtype) if function == "cast" else EMITTERS[function](*operands)).name


# Combining in a reduction: the function, and how lanes are joined in the end.
JOINS = {"sum": "add", "product": "multiply", "max": "maximum", "min": "minimum", "all": "logical_and", "any": "logical_or"}


def join_lanes(code: Code, function: str, value: str, dtype: str, lanes: int) -> str:
    """The lanes of a vector combined: halves onto halves, always in the same order."""
    while lanes > 1:
        half = lanes // 2
        sides = []
        for start in (0, half):
            mask = ", ".join(f"i32 {start + lane}" for lane in range(half))
            type = llvm_type(dtype, lanes)
            sides.append(code.value(f"shufflevector {type} {value}, {type} poison, <{half} x i32> <{mask}>"))
        if half == 1:
            sides = [code.value(f"extractelement <1 x {llvm_type(dtype)}> {side}, i32 0") for side in sides]
        value = apply(code, JOINS[function], sides, [dtype, dtype], dtype, half)
        lanes = half
    return value
