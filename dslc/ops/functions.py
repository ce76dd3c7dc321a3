"""Mathematical functions of one or two floats, rounding, and what can be asked of a float."""

from __future__ import annotations

from collections.abc import Callable
from math import log
from typing import Any

from dslc.ops.samples import Sampler, binary, unary
from dslc.ops.table import Case, op
from dslc.ops.value import F, Val

LN2, LN10 = log(2), log(10)

Rule = Callable[[Val, Val, Val], Val]

# name, meaning, NumPy's name, ONNX operator, gradient, samples, whether complex numbers work
UFUNCS: tuple[tuple[str, str, str, str, Rule, Sampler, bool], ...] = (
    ("sin", "the sine; x in radians", "sin", "Sin", lambda g, y, x: g * F.cos(x), unary(-4, 4), True),
    ("cos", "the cosine; x in radians", "cos", "Cos", lambda g, y, x: -(g * F.sin(x)), unary(-4, 4), True),
    ("tan", "the tangent; x in radians", "tan", "Tan", lambda g, y, x: g * (1.0 + y * y), unary(-1.2, 1.2), True),
    ("asin", "the inverse sine; -1 ≤ x ≤ 1", "arcsin", "Asin", lambda g, y, x: g / F.sqrt(1.0 - x * x), unary(-0.9, 0.9), True),
    ("acos", "the inverse cosine; -1 ≤ x ≤ 1", "arccos", "Acos", lambda g, y, x: -(g / F.sqrt(1.0 - x * x)), unary(-0.9, 0.9), True),
    ("atan", "the inverse tangent", "arctan", "Atan", lambda g, y, x: g / (1.0 + x * x), unary(-4, 4), True),
    ("sinh", "the hyperbolic sine", "sinh", "Sinh", lambda g, y, x: g * F.cosh(x), unary(-3, 3), True),
    ("cosh", "the hyperbolic cosine", "cosh", "Cosh", lambda g, y, x: g * F.sinh(x), unary(-3, 3), True),
    ("asinh", "the inverse hyperbolic sine", "arcsinh", "Asinh", lambda g, y, x: g / F.sqrt(x * x + 1.0), unary(-3, 3), True),
    ("acosh", "the inverse hyperbolic cosine; x ≥ 1", "arccosh", "Acosh", lambda g, y, x: g / F.sqrt(x * x - 1.0), unary(1.3, 4), True),
    ("atanh", "the inverse hyperbolic tangent; -1 < x < 1", "arctanh", "Atanh", lambda g, y, x: g / (1.0 - x * x), unary(-0.9, 0.9), True),
    ("exp2", "2 to the power of x", "exp2", "lower", lambda g, y, x: g * y * LN2, unary(-3, 3), True),
    ("expm1", "exp(x) - 1, accurate near 0", "expm1", "lower", lambda g, y, x: g * (y + 1.0), unary(-3, 3), True),
    ("log2", "the logarithm to base 2; x > 0", "log2", "lower", lambda g, y, x: g / (x * LN2), unary(0.3, 4), True),
    ("log10", "the logarithm to base 10; x > 0", "log10", "lower", lambda g, y, x: g / (x * LN10), unary(0.3, 4), True),
    ("log1p", "log(1 + x), accurate near 0; x > -1", "log1p", "lower", lambda g, y, x: g / (x + 1.0), unary(-0.7, 4), True),
)
for _name, _words, _numpy, _onnx, _grad, _sample, _analytic in UFUNCS:
    op(
        f"{_name}(x: f[*s]) -> f[*s]",
        _words,
        kind="elementwise",
        eval=lambda xp, x, name=_numpy: getattr(xp, name)(x),
        grad={"x": _grad},
        onnx=_onnx,
        sample=_sample,
        analytic=_analytic,
        example=f"y = {_name}(x)",
    )

op(
    "square(x: n[*s]) -> n[*s]",
    "x²",
    kind="elementwise",
    eval=lambda xp, x: x * x,
    grad={"x": lambda g, y, x: g * (2.0 * x)},
    sample=unary(),
    analytic=True,
    example="y = square(x)",
)
op(
    "reciprocal(x: f[*s]) -> f[*s]",
    "1 / x",
    kind="elementwise",
    eval=lambda xp, x: 1 / x,
    grad={"x": lambda g, y, x: -(g * (y * y))},
    onnx="Reciprocal",
    sample=unary(0.3, 4),
    analytic=True,
    example="y = reciprocal(x * x + 1)",
)
op(
    "rsqrt(x: f[*s]) -> f[*s]",
    "1 / √x; x > 0",
    kind="elementwise",
    eval=lambda xp, x: 1 / xp.sqrt(x),
    grad={"x": lambda g, y, x: g * (y / x) * -0.5},
    sample=unary(0.3, 4),
    analytic=True,
    example="y = rsqrt(x * x + 1)",
)


def _atan2_cases(rng: Any) -> list[Case]:
    """All four quadrants, away from the cut along the negative x axis and from 0."""
    found = []
    for case in binary(0.3, 3)(rng):
        y, x = case.inputs
        found.append(Case((y * rng.choice([-1, 1], y.shape), x * rng.choice([-1, 1], x.shape))))
    return found


op(
    "atan2(a: f[*s], b: f[*s]) -> f[*s]",
    "the angle of the point (b, a), from -π to π: the inverse tangent of a / b in the right quadrant",
    kind="elementwise",
    eval=lambda xp, a, b: xp.arctan2(a, b),
    grad={"a": lambda g, y, a, b: g * b / (a * a + b * b), "b": lambda g, y, a, b: -(g * a / (a * a + b * b))},
    sample=_atan2_cases,
    example="y = atan2(x, x + 1)",
)

# ---- rounding: no gradient passes --------------------------------------------------------------------------------------------------

ROUNDING = (
    ("floor", "the largest whole number that is at most x", "floor", "Floor"),
    ("ceil", "the smallest whole number that is at least x", "ceil", "Ceil"),
    ("round", "the nearest whole number, of two the even one", "rint", "Round"),
    ("trunc", "x without its fraction", "trunc", "lower"),
)


def _halves(rng: Any) -> list[Case]:
    """Fractions of both signs, and halves, which round to even."""
    import numpy as np

    return [*unary()(rng), Case((np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.0]),))]


for _name, _words, _numpy, _onnx in ROUNDING:
    op(
        f"{_name}(x: f[*s]) -> f[*s]",
        f"{_words}; no gradient passes",
        kind="elementwise",
        eval=lambda xp, x, name=_numpy: getattr(xp, name)(x),
        grad={"x": None},
        onnx=_onnx,
        sample=_halves,
        example=f"y = {_name}(x)",
    )


def fractions(rng: Any) -> list[Case]:
    """a = b·(k + u) with u from 0.2 to 0.8, so that a / b is nowhere near a whole number."""
    found = []
    for left, right in (((2, 3), (2, 3)), ((2, 3), (3,)), ((4,), ())):
        b = rng.uniform(0.5, 2, right) * rng.choice([-1, 1], right)
        found.append(Case((b * (rng.integers(-3, 3, left) + rng.uniform(0.2, 0.8, left)), b)))
    return found


op(
    "rem(a: n[*s], b: n[*s]) -> n[*s]",
    "a - b·trunc(a / b), as C's fmod and % compute it; has the sign of a",
    kind="elementwise",
    eval=lambda xp, a, b: xp.fmod(a, b),
    grad={"a": lambda g, y, a, b: g, "b": lambda g, y, a, b: -(g * F.trunc(a / b))},
    sample=fractions,
    example="y = rem(x, 2)",
)

# ---- questions ---------------------------------------------------------------------------------------------------------------------


def _unusual(rng: Any) -> list[Case]:
    import numpy as np

    return [*unary()(rng), Case((np.array([np.nan, np.inf, -np.inf, 0.0, -1.5]),))]


QUESTIONS: tuple[tuple[str, str, str, Sampler], ...] = (
    ("isnan", "whether x is not a number", "IsNaN", _unusual),
    ("isinf", "whether x is infinite, of either sign", "IsInf", _unusual),
    ("isfinite", "whether x is neither infinite nor not a number", "lower", _unusual),
)
for _name, _words, _onnx, _sample in QUESTIONS:
    op(
        f"{_name}(x: f[*s]) -> bool[*s]",
        _words,
        kind="elementwise",
        eval=lambda xp, x, name=_name: getattr(xp, name)(x),
        grad={"x": None},
        onnx=_onnx,
        sample=_sample,
        example=f"y = {_name}(x)",
    )
op(
    "logical_xor(a: bool[*s], b: bool[*s]) -> bool[*s]",
    "either a or b, not both",
    kind="elementwise",
    eval=lambda xp, a, b: xp.logical_xor(a, b),
    onnx="Xor",
    sample=lambda rng: [Case((rng.integers(0, 2, s).astype(bool), rng.integers(0, 2, s).astype(bool))) for s in ((4,), (2, 3))],
    example="y = logical_xor(x > 0, x > 1)",
)

# ---- bits --------------------------------------------------------------------------------------------------------------------------


def _bit_cases(low: int, high: int, low2: int, high2: int) -> Sampler:
    def draw(rng: Any) -> list[Case]:
        import numpy as np

        shapes = (((2, 3), (2, 3)), ((2, 3), (3,)), ((4,), (1,)))
        signed = [Case((rng.integers(low, high, a), rng.integers(low2, high2, b))) for a, b in shapes]
        return [*signed, Case((rng.integers(0, 200, (5,)).astype(np.uint8), rng.integers(max(low2, 0), high2, (5,)).astype(np.uint8)))]

    return draw


BITS = (
    ("bitwise_and", "the bits that a and b both have", _bit_cases(-100, 100, -100, 100), lambda xp, a, b: a & b),
    ("bitwise_or", "the bits that a or b has", _bit_cases(-100, 100, -100, 100), lambda xp, a, b: a | b),
    ("bitwise_xor", "the bits that one of a and b has", _bit_cases(-100, 100, -100, 100), lambda xp, a, b: a ^ b),
    ("shift_left", "a·2^b, the bits of a moved up by b places", _bit_cases(-100, 100, 0, 5), lambda xp, a, b: a << b),
    ("shift_right", "⌊a / 2^b⌋, the bits of a moved down by b places", _bit_cases(-100, 100, 0, 5), lambda xp, a, b: a >> b),
)
for _name, _words, _sample, _eval in BITS:
    op(
        f"{_name}(a: i[*s], b: i[*s]) -> i[*s]",
        _words,
        kind="elementwise",
        eval=_eval,
        sample=_sample,
        example=f"y = {_name}(i, i)",
    )
op(
    "bitwise_not(x: i[*s]) -> i[*s]",
    "the bits that x does not have; of signed integers -x - 1",
    kind="elementwise",
    eval=lambda xp, x: ~x,
    sample=lambda rng: [Case((rng.integers(-9, 9, (2, 3)),)), Case((rng.integers(0, 200, (4,)).astype("uint8"),))],
    example="y = bitwise_not(i)",
)
