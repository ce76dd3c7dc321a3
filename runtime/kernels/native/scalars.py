"""The scalar functions of loop nests in LLVM's language, for any number of lanes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from runtime.kernels.native.text import Code, llvm_type, splat

LIBRARY = {"expm1": "expm1", "log1p": "log1p", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh"}

Emit = Callable[["Values"], str]


class Values:
    """Arguments of one application: names, the dtype of each, the dtype of the result, and the lanes of all."""

    def __init__(self, code: Code, args: Sequence[str], dtypes: Sequence[str], dtype: str, lanes: int) -> None:
        self.code = code
        self.args = list(args)
        self.dtypes = list(dtypes)
        self.dtype = dtype
        self.lanes = lanes

    @property
    def type(self) -> str:
        """LLVM's type of the arguments."""
        return llvm_type(self.dtypes[0], self.lanes)

    @property
    def kind(self) -> str:
        """What the arguments are: f, i (signed), u (unsigned) or b, as NumPy says."""
        dtype = self.dtypes[0]
        return "b" if dtype == "bool" else dtype[0]

    def binary(self, instruction: str) -> str:
        return self.code.value(f"{instruction} {self.type} {self.args[0]}, {self.args[1]}")

    def call(self, intrinsic: str) -> str:
        full = self.code.intrinsic(intrinsic, self.type, len(self.args))
        return self.code.value(f"call {self.type} {full}({', '.join(f'{self.type} {arg}' for arg in self.args)})")

    def number(self, value: float) -> str:
        """A number of the dtype of the arguments."""
        return number(self.code, value, self.dtypes[0], self.lanes)

    def again(self, function: str, *args: str) -> str:
        """Another function of the same dtypes."""
        return apply(self.code, function, args, [self.dtypes[0]] * len(args), self.dtypes[0], self.lanes)


def number(code: Code, value: float, dtype: str, lanes: int) -> str:
    """A constant in every lane."""
    return splat(code, llvm_type(dtype), lanes, literal(value, dtype))


def literal(value: float, dtype: str) -> str:
    """A constant as LLVM writes it: floats by the bits of the nearest double that their type can hold."""
    if dtype == "bool":
        return "true" if value else "false"
    if not dtype.startswith("float"):
        return str(int(value))
    with np.errstate(over="ignore"):
        exact = np.float64(np.dtype(dtype).type(value))
    return f"0x{int(exact.view(np.uint64)):016X}"


def by_kind(**instructions: str) -> Emit:
    """An instruction for each kind of argument."""
    return lambda values: values.binary(instructions[values.kind])


def compare(predicate: str, unequal: bool = False) -> Emit:
    """Ordered comparison: false where an argument is NaN, but `not_equal` is true there."""

    def emit(values: Values) -> str:
        if values.kind == "f":
            return values.binary(f"fcmp {'u' if unequal else 'o'}{predicate}")
        sign = "" if predicate in ("eq", "ne") else "s" if values.kind == "i" else "u"
        return values.binary(f"icmp {sign}{predicate}")

    return emit


def extreme(floats: str, signed: str, unsigned: str) -> Emit:
    names = {"f": floats, "i": signed, "u": unsigned, "b": unsigned}
    return lambda values: values.call(names[values.kind])


def negative(values: Values) -> str:
    if values.kind == "f":
        return values.code.value(f"fneg {values.type} {values.args[0]}")
    return values.code.value(f"sub {values.type} {values.number(0)}, {values.args[0]}")


def absolute(values: Values) -> str:
    if values.kind == "f":
        return values.call("fabs")
    if values.kind in "ub":
        return values.args[0]
    return values.again("maximum", values.args[0], values.again("negative", values.args[0]))


def sign(values: Values) -> str:
    """-1, 0, 1; NaN stays."""
    x, zero = values.args[0], values.number(0)
    code, type = values.code, values.type
    up = values.again("greater", x, zero)
    down = values.again("less", x, zero)
    inner = select(code, values.lanes, down, values.number(-1), x if values.kind == "f" else zero, type)
    return select(code, values.lanes, up, values.number(1), inner, type)


def select(code: Code, lanes: int, condition: str, yes: str, no: str, type: str) -> str:
    return code.value(f"select {llvm_type('bool', lanes)} {condition}, {type} {yes}, {type} {no}")


def where(values: Values) -> str:
    return select(values.code, values.lanes, *values.args, llvm_type(values.dtype, values.lanes))


def is_nan(values: Values) -> str:
    return values.code.value(f"fcmp uno {values.type} {values.args[0]}, {values.args[0]}")


def is_finite(values: Values) -> str:
    size = values.call("fabs")
    return values.code.value(f"fcmp olt {values.type} {size}, {values.number(float('inf'))}")


def is_inf(values: Values) -> str:
    size = values.call("fabs")
    return values.code.value(f"fcmp oeq {values.type} {size}, {values.number(float('inf'))}")


def truth(values: Values, arg: str) -> str:
    """An argument as a truth value."""
    if values.kind == "b":
        return arg
    word = "fcmp une" if values.kind == "f" else "icmp ne"
    return values.code.value(f"{word} {values.type} {arg}, {values.number(0)}")


def logical(instruction: str) -> Emit:
    def emit(values: Values) -> str:
        sides = [truth(values, arg) for arg in values.args]
        return values.code.value(f"{instruction} {llvm_type('bool', values.lanes)} {sides[0]}, {sides[1]}")

    return emit


def logical_not(values: Values) -> str:
    yes = number(values.code, 1, "bool", values.lanes)
    return values.code.value(f"xor {llvm_type('bool', values.lanes)} {truth(values, values.args[0])}, {yes}")


def invert(values: Values) -> str:
    ones = values.number(1 if values.kind == "b" else -1)
    return values.code.value(f"xor {values.type} {values.args[0]}, {ones}")


def cast(values: Values) -> str:
    """As NumPy converts: towards zero for whole numbers, true where not zero."""
    source, goal = values.dtypes[0], values.dtype
    if source == goal:
        return values.args[0]
    if goal == "bool":
        return truth(values, values.args[0])
    word = conversion(source, goal)
    if not word:
        return values.args[0]
    return values.code.value(f"{word} {values.type} {values.args[0]} to {llvm_type(goal, values.lanes)}")


def bits(dtype: str) -> int:
    return 1 if dtype == "bool" else int(dtype.lstrip("floatuin"))


def conversion(source: str, goal: str) -> str:
    wider = bits(goal) > bits(source)
    unsigned = source[0] in "ub"
    if source.startswith("float"):
        if goal.startswith("float"):
            return "fpext" if wider else "fptrunc"
        return "fptoui" if goal[0] == "u" else "fptosi"
    if goal.startswith("float"):
        return "uitofp" if unsigned else "sitofp"
    if bits(goal) == bits(source):
        return ""
    return ("zext" if unsigned else "sext") if wider else "trunc"


def intrinsic(name: str) -> Emit:
    return lambda values: values.call(name)


def by_number(function: str, left: float) -> Emit:
    """`left` function x."""
    return lambda values: values.again(function, values.number(left), values.args[0])


def library(name: str) -> Emit:
    """The C library's function, lane by lane."""

    def emit(values: Values) -> str:
        code, dtype = values.code, values.dtypes[0]
        scalar = llvm_type(dtype)
        full = code.declare(
            f"@{name}{'f' if dtype == 'float32' else ''}", f"declare {scalar} @{name}{'f' if dtype == 'float32' else ''}({scalar})"
        )
        if values.lanes == 1:
            return code.value(f"call {scalar} {full}({scalar} {values.args[0]})")
        result = "poison"
        for lane in range(values.lanes):
            one = code.value(f"extractelement {values.type} {values.args[0]}, i32 {lane}")
            done = code.value(f"call {scalar} {full}({scalar} {one})")
            result = code.value(f"insertelement {values.type} {result}, {scalar} {done}, i32 {lane}")
        return result

    return emit


def remainder(values: Values) -> str:
    """With the sign of the divisor, as NumPy has it; whole numbers by 0 give 0."""
    a, b = values.args
    zero = values.number(0)
    if values.kind == "f":
        rest = values.again("fmod", a, b)
        nonzero, crossed = values.again("not_equal", rest, zero), crosses(values, rest, b)
    else:
        b = safe_divisor(values)
        rest = values.code.value(f"{'s' if values.kind == 'i' else 'u'}rem {values.type} {a}, {b}")
        nonzero, crossed = values.again("not_equal", rest, zero), crosses(values, rest, b)
    wrong = values.code.value(f"and {llvm_type('bool', values.lanes)} {nonzero}, {crossed}")
    fixed = select(values.code, values.lanes, wrong, values.again("add", rest, b), rest, values.type)
    if values.kind == "f":
        signed = values.again("copysign", zero, b)
        return select(values.code, values.lanes, nonzero_or_nan(values, fixed), fixed, signed, values.type)
    by_zero = values.again("equal", values.args[1], zero)
    return select(values.code, values.lanes, by_zero, zero, fixed, values.type)


def nonzero_or_nan(values: Values, x: str) -> str:
    return values.code.value(f"fcmp une {values.type} {x}, {values.number(0)}")


def crosses(values: Values, rest: str, b: str) -> str:
    """Whether two numbers have different signs."""
    zero = values.number(0)
    sides = [values.again("less", x, zero) for x in (rest, b)]
    return values.code.value(f"xor {llvm_type('bool', values.lanes)} {sides[0]}, {sides[1]}")


def safe_divisor(values: Values) -> str:
    """1 where the divisor is 0, and where the smallest number would be divided by -1."""
    b, one = values.args[1], values.number(1)
    zero = values.again("equal", b, values.number(0))
    safe = select(values.code, values.lanes, zero, one, b, values.type)
    if values.kind != "i":
        return safe
    minus = values.again("equal", b, values.number(-1))
    return select(values.code, values.lanes, minus, one, safe, values.type)


def floor_divide(values: Values) -> str:
    """The quotient rounded down; whole numbers by 0 give 0."""
    a, b = values.args
    rest = values.again("remainder", a, b)
    if values.kind == "f":
        quotient = values.again("true_divide", values.again("subtract", a, rest), b)
        whole = values.again("floor", quotient)
        above = values.again("greater", values.again("subtract", quotient, whole), values.number(0.5))
        rounded = select(values.code, values.lanes, above, values.again("add", whole, values.number(1)), whole, values.type)
        by_zero = values.again("equal", b, values.number(0))
        return select(values.code, values.lanes, by_zero, values.again("true_divide", a, b), rounded, values.type)
    safe = safe_divisor(values)
    exact = values.again("subtract", a, rest)
    quotient = values.code.value(f"{'s' if values.kind == 'i' else 'u'}div {values.type} {exact}, {safe}")
    if values.kind == "i":
        minus = values.again("equal", b, values.number(-1))
        quotient = select(values.code, values.lanes, minus, values.again("negative", a), quotient, values.type)
    by_zero = values.again("equal", b, values.number(0))
    return select(values.code, values.lanes, by_zero, values.number(0), quotient, values.type)


EMITTERS: dict[str, Emit] = {
    "add": by_kind(f="fadd", i="add", u="add", b="or"),
    "subtract": by_kind(f="fsub", i="sub", u="sub"),
    "multiply": by_kind(f="fmul", i="mul", u="mul", b="and"),
    "true_divide": by_kind(f="fdiv"),
    "floor_divide": floor_divide,
    "remainder": remainder,
    "fmod": by_kind(f="frem", i="srem", u="urem"),
    "maximum": extreme("maximum", "smax", "umax"),
    "minimum": extreme("minimum", "smin", "umin"),
    "fmax": extreme("maxnum", "smax", "umax"),
    "fmin": extreme("minnum", "smin", "umin"),
    "negative": negative,
    "absolute": absolute,
    "sign": sign,
    "square": lambda values: values.again("multiply", values.args[0], values.args[0]),
    "reciprocal": by_number("true_divide", 1.0),
    "sqrt": intrinsic("sqrt"),
    "exp": intrinsic("exp"),
    "exp2": intrinsic("exp2"),
    "log": intrinsic("log"),
    "log2": intrinsic("log2"),
    **{name: library(c_name) for name, c_name in LIBRARY.items()},
    "sin": intrinsic("sin"),
    "cos": intrinsic("cos"),
    "tan": intrinsic("tan"),
    "arctan": intrinsic("atan"),
    "arctan2": intrinsic("atan2"),
    "sinh": intrinsic("sinh"),
    "cosh": intrinsic("cosh"),
    "tanh": intrinsic("tanh"),
    "arcsin": intrinsic("asin"),
    "arccos": intrinsic("acos"),
    "power": intrinsic("pow"),
    "floor": intrinsic("floor"),
    "ceil": intrinsic("ceil"),
    "trunc": intrinsic("trunc"),
    "rint": intrinsic("rint"),
    "copysign": intrinsic("copysign"),
    "bitwise_and": by_kind(i="and", u="and", b="and"),
    "bitwise_or": by_kind(i="or", u="or", b="or"),
    "bitwise_xor": by_kind(i="xor", u="xor", b="xor"),
    "left_shift": by_kind(i="shl", u="shl"),
    "right_shift": by_kind(i="ashr", u="lshr"),
    "invert": invert,
    "equal": compare("eq"),
    "not_equal": compare("ne", unequal=True),
    "less": compare("lt"),
    "less_equal": compare("le"),
    "greater": compare("gt"),
    "greater_equal": compare("ge"),
    "isnan": is_nan,
    "isfinite": is_finite,
    "isinf": is_inf,
    "logical_and": logical("and"),
    "logical_or": logical("or"),
    "logical_xor": logical("xor"),
    "logical_not": logical_not,
    "where": where,
    "cast": cast,
}


def apply(code: Code, function: str, args: Sequence[str], dtypes: Sequence[str], dtype: str, lanes: int) -> str:
    """Write one application; KeyError for a function that has no row."""
    return EMITTERS[function](Values(code, args, dtypes, dtype, lanes))


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
