"""Elementwise rows. Inputs broadcast by NumPy's rule (the language's stricter rule R11 is the elaborator's)."""

from __future__ import annotations

from typing import Any

from dslc.ir.types import DType, TensorType
from dslc.ops.functions import fractions
from dslc.ops.samples import binary, booleans, ints, unary
from dslc.ops.support import zero
from dslc.ops.table import Case, op
from dslc.ops.value import F

# ---- arithmetic -------------------------------------------------------------------------------------------------------------

op(
    "add(a: n[*s], b: n[*s]) -> n[*s]",
    "a + b",
    kind="elementwise",
    eval=lambda xp, a, b: a + b,
    grad={"a": lambda g, y, a, b: g, "b": lambda g, y, a, b: g},
    onnx="Add",
    sample=binary(),
    analytic=True,
    example="y = x + x",
)
op(
    "subtract(a: n[*s], b: n[*s]) -> n[*s]",
    "a - b",
    kind="elementwise",
    eval=lambda xp, a, b: a - b,
    grad={"a": lambda g, y, a, b: g, "b": lambda g, y, a, b: -g},
    onnx="Sub",
    sample=binary(),
    analytic=True,
    example="y = x - 1",
)
op(
    "multiply(a: n[*s], b: n[*s]) -> n[*s]",
    "a · b",
    kind="elementwise",
    eval=lambda xp, a, b: a * b,
    grad={"a": lambda g, y, a, b: g * b, "b": lambda g, y, a, b: g * a},
    onnx="Mul",
    sample=binary(),
    analytic=True,
    example="y = x * x",
)
op(
    "divide(a: f[*s], b: f[*s]) -> f[*s]",
    "a / b",
    kind="elementwise",
    eval=lambda xp, a, b: a / b,
    grad={"a": lambda g, y, a, b: g / b, "b": lambda g, y, a, b: -(g * y / b)},
    onnx="Div",
    sample=binary(0.5, 3),
    analytic=True,
    example="y = x / 255",
)
op(
    "floor_divide(a: n[*s], b: n[*s]) -> n[*s]",
    "⌊a / b⌋; of integers, rounded towards minus infinity",
    kind="elementwise",
    eval=lambda xp, a, b: xp.floor_divide(a, b),
    grad={"a": None, "b": None},
    sample=ints(-7, 8),
    example="y = i // 2",
)
op(
    "remainder(a: n[*s], b: n[*s]) -> n[*s]",
    "a - b·⌊a / b⌋; has the sign of b",
    kind="elementwise",
    eval=lambda xp, a, b: xp.remainder(a, b),
    grad={"a": lambda g, y, a, b: g, "b": lambda g, y, a, b: -(g * F.floor(a / b))},
    sample=fractions,
    example="y = i % 2",
)
op(
    "pow(a: f[*s], b: f[*s]) -> f[*s]",
    "a to the power of b; a > 0 where b is not a whole number",
    kind="elementwise",
    eval=lambda xp, a, b: xp.power(a, b),
    grad={"a": lambda g, y, a, b: g * b * F.pow(a, b - 1.0), "b": lambda g, y, a, b: g * y * F.log(a)},
    onnx="Pow",
    sample=binary(0.5, 2, -2, 3),
    analytic=True,
    example="y = x ^ 2",
)
op(
    "negative(x: n[*s]) -> n[*s]",
    "-x",
    kind="elementwise",
    eval=lambda xp, x: -x,
    grad={"x": lambda g, y, x: -g},
    onnx="Neg",
    sample=unary(),
    analytic=True,
    example="y = -x",
)
op(
    "minimum(a: n[*s], b: n[*s]) -> n[*s]",
    "the smaller of a and b; the gradient goes to a where they are equal",
    kind="elementwise",
    eval=lambda xp, a, b: xp.minimum(a, b),
    grad={
        "a": lambda g, y, a, b: F.where(F.less_equal(a, b), g, zero(g)),
        "b": lambda g, y, a, b: F.where(F.less_equal(a, b), zero(g), g),
    },
    onnx="Min",
    sample=binary(apart=True),
    example="y = minimum(x, 2 * x)",
)
op(
    "maximum(a: n[*s], b: n[*s]) -> n[*s]",
    "the larger of a and b; the gradient goes to a where they are equal",
    kind="elementwise",
    eval=lambda xp, a, b: xp.maximum(a, b),
    grad={
        "a": lambda g, y, a, b: F.where(F.greater_equal(a, b), g, zero(g)),
        "b": lambda g, y, a, b: F.where(F.greater_equal(a, b), zero(g), g),
    },
    onnx="Max",
    sample=binary(apart=True),
    example="y = maximum(x, 2 * x)",
)

# ---- comparisons and logic: (name, ONNX, sign in the language, function) ----------------------------------------------------

COMPARISONS = (
    ("equal", "Equal", "==", lambda xp, a, b: a == b),
    ("not_equal", "lower", "!=", lambda xp, a, b: a != b),
    ("less", "Less", "<", lambda xp, a, b: a < b),
    ("less_equal", "LessOrEqual", "<=", lambda xp, a, b: a <= b),
    ("greater", "Greater", ">", lambda xp, a, b: a > b),
    ("greater_equal", "GreaterOrEqual", ">=", lambda xp, a, b: a >= b),
)
for _name, _onnx, _sign, _eval in COMPARISONS:
    op(
        f"{_name}(a: t[*s], b: t[*s]) -> bool[*s]",
        f"a {_sign} b",
        kind="elementwise",
        eval=_eval,
        grad={"a": None, "b": None},
        onnx=_onnx,
        sample=ints(0, 3),
        example=f"y = x {_sign} 0",
    )
op(
    "logical_and(a: bool[*s], b: bool[*s]) -> bool[*s]",
    "a and b",
    kind="elementwise",
    eval=lambda xp, a, b: xp.logical_and(a, b),
    onnx="And",
    sample=booleans(2),
    example="y = x > 0 and x < 1",
)
op(
    "logical_or(a: bool[*s], b: bool[*s]) -> bool[*s]",
    "a or b",
    kind="elementwise",
    eval=lambda xp, a, b: xp.logical_or(a, b),
    onnx="Or",
    sample=booleans(2),
    example="y = x < 0 or x > 1",
)
op(
    "logical_not(x: bool[*s]) -> bool[*s]",
    "not x",
    kind="elementwise",
    eval=lambda xp, x: xp.logical_not(x),
    onnx="Not",
    sample=booleans(1),
    example="y = not (x > 0)",
)


def _where_cases(rng: Any) -> list[Case]:
    shapes = (((2, 3), (2, 3), (2, 3)), ((2, 1), (2, 3), (3,)), ((4,), (), (4,)))
    return [Case((rng.integers(0, 2, c).astype(bool), rng.uniform(-1, 1, a), rng.uniform(-1, 1, b))) for c, a, b in shapes]


op(
    "where(condition: bool[*s], a: t[*s], b: t[*s]) -> t[*s]",
    "a where the condition holds, else b",
    kind="elementwise",
    eval=lambda xp, condition, a, b: xp.where(condition, a, b),
    grad={
        "a": lambda g, y, condition, a, b: F.where(condition, g, zero(g)),
        "b": lambda g, y, condition, a, b: F.where(condition, zero(g), g),
    },
    onnx="Where",
    sample=_where_cases,
    analytic=True,
    example="y = where(x > 0, x, 0.1 * x)",
)

# ---- functions ---------------------------------------------------------------------------------------------------------------

op(
    "exp(x: f[*s]) -> f[*s]",
    "e to the power of x",
    kind="elementwise",
    eval=lambda xp, x: xp.exp(x),
    grad={"x": lambda g, y, x: g * y},
    onnx="Exp",
    sample=unary(),
    analytic=True,
    example="y = exp(x)",
)
op(
    "log(x: f[*s]) -> f[*s]",
    "the natural logarithm; x > 0",
    kind="elementwise",
    eval=lambda xp, x: xp.log(x),
    grad={"x": lambda g, y, x: g / x},
    onnx="Log",
    sample=unary(0.3, 4),
    analytic=True,
    example="y = log(exp(x))",
)
op(
    "sqrt(x: f[*s]) -> f[*s]",
    "the square root; x ≥ 0, the gradient is infinite at 0",
    kind="elementwise",
    eval=lambda xp, x: xp.sqrt(x),
    grad={"x": lambda g, y, x: g * 0.5 / y},
    onnx="Sqrt",
    sample=unary(0.3, 4),
    analytic=True,
    example="y = sqrt(x * x + 1)",
)
op(
    "tanh(x: f[*s]) -> f[*s]",
    "the hyperbolic tangent",
    kind="elementwise",
    eval=lambda xp, x: xp.tanh(x),
    grad={"x": lambda g, y, x: g * (1.0 - y * y)},
    onnx="Tanh",
    sample=unary(),
    analytic=True,
    example="y = tanh(x)",
)


def _sigmoid(xp: Any, x: Any) -> Any:
    e = xp.exp(-xp.abs(x))  # never overflows
    return xp.where(x >= 0, 1 / (1 + e), e / (1 + e))


op(
    "sigmoid(x: f[*s]) -> f[*s]",
    "1 / (1 + exp(-x)), written so that it does not overflow",
    kind="elementwise",
    eval=_sigmoid,
    grad={"x": lambda g, y, x: g * y * (1.0 - y)},
    onnx="Sigmoid",
    sample=unary(-4, 4),
    example="y = sigmoid(x)",
)
op(
    "softplus(x: f[*s]) -> f[*s]",
    "log(1 + exp(x)), written so that it does not overflow",
    kind="elementwise",
    eval=lambda xp, x: xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x))),
    grad={"x": lambda g, y, x: g * F.sigmoid(x)},
    onnx="Softplus",
    sample=unary(-4, 4),
    example="y = softplus(x)",
)
op(
    "relu(x: f[*s]) -> f[*s]",
    "max(x, 0); the gradient at 0 is 0",
    kind="elementwise",
    eval=lambda xp, x: xp.maximum(x, 0),
    grad={"x": lambda g, y, x: F.where(F.greater(y, zero(y)), g, zero(g))},
    onnx="Relu",
    sample=unary(kinks=(0,)),
    example="y = relu(x)",
)
op(
    "leaky_relu(x: f[*s], slope: float = 0.01) -> f[*s]",
    "x for x > 0, else slope·x (Maas et al. 2013)",
    kind="elementwise",
    eval=lambda xp, x, slope: xp.where(x > 0, x, x * slope),
    grad={"x": lambda g, y, x, slope: F.where(F.greater(x, zero(x)), g, g * slope)},
    sample=unary(kinks=(0,), slope=0.2),
    example="y = leaky_relu(x, slope=0.2)",
)
op(
    "abs(x: n[*s]) -> n[*s]",
    "|x|; the gradient at 0 is 0",
    kind="elementwise",
    eval=lambda xp, x: xp.abs(x),
    grad={"x": lambda g, y, x: g * F.sign(x)},
    onnx="Abs",
    sample=unary(kinks=(0,)),
    example="y = abs(x)",
)
op(
    "sign(x: f[*s]) -> f[*s]",
    "-1, 0 or 1; no gradient passes",
    kind="elementwise",
    eval=lambda xp, x: xp.sign(x),
    grad={"x": None},
    onnx="Sign",
    sample=unary(kinks=(0,)),
    example="y = sign(x)",
)
op(
    "heaviside(x: f[*s]) -> f[*s]",
    "1 for x > 0, else 0 (Rosenblatt's threshold); no gradient passes",
    kind="elementwise",
    eval=lambda xp, x: (x > 0).astype(x.dtype),
    grad={"x": None},
    sample=unary(kinks=(0,)),
    example="y = heaviside(x)",
)
op(
    "clip(x: f[*s], min: float, max: float) -> f[*s]",
    "x limited to min … max; outside no gradient passes",
    kind="elementwise",
    eval=lambda xp, x, min, max: xp.minimum(xp.maximum(x, min), max),
    grad={
        "x": lambda g, y, x, min, max: F.where(
            F.logical_and(F.greater_equal(x, _number(x, min)), F.less_equal(x, _number(x, max))), g, zero(g)
        )
    },
    sample=unary(kinks=(-1, 1), min=-1.0, max=1.0),
    example="y = clip(x, min=-1.0, max=1.0)",
)


def _number(x: Any, value: float) -> Any:
    return x.builder.constant(value, x.type.dtype)


def _cast_shape(x: TensorType, dtype: DType) -> TensorType:
    return TensorType(dtype=dtype, shape=x.shape)


op(
    "cast(x: t[*s], dtype: dtype) -> t[*s]",
    "x as another dtype; floats become integers by cutting off the fraction",
    kind="elementwise",
    eval=lambda xp, x, dtype: x.astype(dtype.numpy),
    grad={"x": lambda g, y, x, dtype: F.cast(g, dtype=x.type.dtype) if dtype.is_float else None},
    shape=_cast_shape,
    sample=unary(dtype=DType.f64),
    example="y = cast(x > 0, f32)",
)
