"""The scalar functions of loop nests in LLVM's language, for any number of lanes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf

from runtime.kernels.native import angles, functions, integers
from runtime.kernels.native.lanes import Lanes, define, literal
from runtime.kernels.native.text import Code, llvm_type, splat

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

    @property
    def operands(self) -> list[Lanes]:
        return [Lanes(self.code, name, dtype, self.lanes) for name, dtype in zip(self.args, self.dtypes, strict=True)]

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


def question(floats: Callable[[Lanes], Lanes], whole: bool) -> Emit:
    """What is asked of floats; of whole numbers the answer is always the same."""
    return lambda values: floats(values.operands[0]).name if values.kind == "f" else number(values.code, whole, "bool", values.lanes)


def sign_bit(values: Values) -> str:
    (x,) = values.operands
    return (x.bits() < 0 if values.kind == "f" else x < 0 if values.kind == "i" else x.compare("ult", 0)).name


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
    if values.kind == "f" and not goal.startswith("float"):
        return integers.whole(values.operands[0], goal).name
    word = conversion(source, goal)
    if not word:
        return values.args[0]
    return values.code.value(f"{word} {values.type} {values.args[0]} to {llvm_type(goal, values.lanes)}")


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


def intrinsic(name: str) -> Emit:
    return lambda values: values.call(name)


def c_function(name: str) -> Emit:
    """The C library's function, lane by lane."""

    def emit(values: Values) -> str:
        code, scalar = values.code, llvm_type(values.dtypes[0])
        params = ", ".join([scalar] * len(values.args))
        full = code.declare(f"@{name}", f"declare {scalar} @{name}({params})")
        result = "poison"
        for lane in range(values.lanes):
            ones = (
                [code.value(f"extractelement {values.type} {arg}, i32 {lane}") for arg in values.args] if values.lanes > 1 else values.args
            )
            done = code.value(f"call {scalar} {full}({', '.join(f'{scalar} {one}' for one in ones)})")
            if values.lanes == 1:
                return done
            result = code.value(f"insertelement {values.type} {result}, {scalar} {done}, i32 {lane}")
        return result

    return emit


def native(function: Callable[..., Lanes]) -> Emit:
    """A function of lanes, defined once for each module."""
    return lambda values: define(values.code, function, values.operands).name


def in_double(function: Callable[..., Lanes]) -> Emit:
    """A function of lanes for float64, and for float32 in float64."""
    return by_dtype(native(angles.in_double(function)), native(function))


def by_dtype(single: Emit, double: Emit) -> Emit:
    return lambda values: (single if values.dtypes[0] == "float32" else double)(values)


def written(whole: Callable[..., Lanes], floats: Callable[..., Lanes]) -> Emit:
    """Written in place: for whole numbers, and for floats."""
    return lambda values: (floats if values.kind == "f" else whole)(*values.operands).name


def power(values: Values) -> str:
    if values.kind != "f":
        return integers.whole_power(*values.operands).name
    return by_dtype(native(angles.in_double(functions.power)), c_function("pow"))(values)


EMITTERS: dict[str, Emit] = {
    "add": by_kind(f="fadd", i="add", u="add", b="or"),
    "subtract": by_kind(f="fsub", i="sub", u="sub"),
    "multiply": by_kind(f="fmul", i="mul", u="mul", b="and"),
    "true_divide": by_kind(f="fdiv"),
    "floor_divide": written(integers.whole_floor_divide, integers.floor_divide),
    "remainder": written(integers.whole_remainder, integers.remainder),
    "fmod": written(integers.whole_fmod, integers.fmod),
    "maximum": extreme("maximum", "smax", "umax"),
    "minimum": extreme("minimum", "smin", "umin"),
    "fmax": extreme("maxnum", "smax", "umax"),
    "fmin": extreme("minnum", "smin", "umin"),
    "negative": negative,
    "absolute": absolute,
    "sign": sign,
    "square": lambda values: values.again("multiply", values.args[0], values.args[0]),
    "reciprocal": written(integers.whole_reciprocal, lambda x: 1.0 / x),
    "sqrt": intrinsic("sqrt"),
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
    "sin": by_dtype(native(angles.sin), c_function("sin")),
    "cos": by_dtype(native(angles.cos), c_function("cos")),
    "tan": by_dtype(native(angles.tan), c_function("tan")),
    "arctan": in_double(angles.arctan),
    "arctan2": in_double(angles.arctan2),
    "arcsin": in_double(angles.arcsin),
    "arccos": in_double(angles.arccos),
    "power": power,
    "floor": intrinsic("floor"),
    "ceil": intrinsic("ceil"),
    "trunc": intrinsic("trunc"),
    "rint": intrinsic("rint"),
    "copysign": intrinsic("copysign"),
    "bitwise_and": by_kind(i="and", u="and", b="and"),
    "bitwise_or": by_kind(i="or", u="or", b="or"),
    "bitwise_xor": by_kind(i="xor", u="xor", b="xor"),
    "left_shift": written(integers.left_shift, integers.left_shift),
    "right_shift": written(integers.right_shift, integers.right_shift),
    "invert": invert,
    "equal": compare("eq"),
    "not_equal": compare("ne", unequal=True),
    "less": compare("lt"),
    "less_equal": compare("le"),
    "greater": compare("gt"),
    "greater_equal": compare("ge"),
    "isnan": question(Lanes.is_nan, False),
    "isfinite": question(lambda x: abs(x) < inf, True),
    "isinf": question(lambda x: abs(x).equals(inf), False),
    "signbit": sign_bit,
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
