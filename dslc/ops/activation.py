"""Activation functions. All are elementwise; kinks have the gradient that their words name."""

from __future__ import annotations

from math import pi, sqrt
from typing import Any

from dslc.ir.types import TensorType
from dslc.ops.samples import away, unary
from dslc.ops.special import erf
from dslc.ops.support import constant, one, per_channel, zero
from dslc.ops.table import Case, Mismatch, op
from dslc.ops.value import F, Val

SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
ROOT_HALF, ROOT_2_OVER_PI, DENSITY = sqrt(0.5), sqrt(2 / pi), 1 / sqrt(2 * pi)
CUBIC = 0.044715  # of the tanh form of gelu


def positive(x: Val, a: Val, b: Val) -> Val:
    """a where x > 0, else b."""
    return F.where(F.greater(x, zero(x)), a, b)


def between(g: Val, x: Val, low: float, high: float) -> Val:
    """g where low ≤ x ≤ high, else 0."""
    return F.where(F.logical_and(F.greater_equal(x, constant(x, low)), F.less_equal(x, constant(x, high))), g, zero(g))


def activation(signature: str, doc: str, evaluate: Any, grad: Any, sample: Any, onnx: str = "lower", **more: Any) -> None:
    """A row with the one input `x`."""
    name = signature[: signature.index("(")]
    op(signature, doc, kind="elementwise", eval=evaluate, grad={"x": grad}, onnx=onnx, sample=sample,
       **{"example": f"y = {name}(x)", **more})  # fmt: skip


# ---- exponential units -------------------------------------------------------------------------------------------------------------


def _elu(xp: Any, x: Any, alpha: float) -> Any:
    return xp.where(x > 0, x, xp.expm1(xp.minimum(x, 0)) * alpha)


activation(
    "elu(x: f[*s], alpha: float = 1.0) -> f[*s]",
    "x for x > 0, else alpha·(exp(x) - 1) (Clevert et al. 2016)",
    _elu,
    lambda g, y, x, alpha: positive(x, g, g * (y + alpha)),
    unary(kinks=(0,), alpha=1.5),
)
activation(
    "selu(x: f[*s]) -> f[*s]",
    "scale·elu(x) with alpha 1.67326 and scale 1.0507, which keep mean 0 and variance 1 (Klambauer et al. 2017)",
    lambda xp, x: xp.where(x > 0, x * SELU_SCALE, xp.expm1(xp.minimum(x, 0)) * (SELU_SCALE * SELU_ALPHA)),
    lambda g, y, x: positive(x, g * SELU_SCALE, g * (y + SELU_SCALE * SELU_ALPHA)),
    unary(kinks=(0,)),
)


def _celu_shape(x: TensorType, alpha: float) -> TensorType:
    if alpha <= 0:
        raise Mismatch("alpha", "`alpha` of `celu` is above 0", wanted="> 0", found=str(alpha))
    return x


activation(
    "celu(x: f[*s], alpha: float = 1.0) -> f[*s]",
    "x for x > 0, else alpha·(exp(x / alpha) - 1), smooth at 0 (Barron 2017)",
    lambda xp, x, alpha: xp.where(x > 0, x, xp.expm1(xp.minimum(x, 0) / alpha) * alpha),
    lambda g, y, x, alpha: positive(x, g, g * (y / alpha + 1.0)),
    unary(kinks=(0,), alpha=0.7),
    shape=_celu_shape,
)

# ---- sigmoid units -----------------------------------------------------------------------------------------------------------------


def sigmoid(xp: Any, x: Any) -> Any:
    """1 / (1 + exp(-x)); exp never overflows."""
    e = xp.exp(-xp.abs(x))
    return xp.where(x >= 0, 1 / (1 + e), e / (1 + e))


activation(
    "silu(x: f[*s]) -> f[*s]",
    "x·σ(x), also called swish (Elfwing et al. 2018; Ramachandran et al. 2017)",
    lambda xp, x: x * sigmoid(xp, x),
    lambda g, y, x: g * (y + F.sigmoid(x) * (1.0 - y)),
    unary(-5, 5),
)


def _mish(xp: Any, x: Any) -> Any:
    # tanh(log(1 + w)) = (w² + 2w) / (w² + 2w + 2) with w = exp(x); above 20 it is 1 in double precision
    w = xp.exp(xp.minimum(x, 20))
    n = w * (w + 2)
    return x * (n / (n + 2))


def _mish_grad(g: Val, y: Val, x: Val) -> Val:
    t = F.tanh(F.softplus(x))
    return g * (t + x * F.sigmoid(x) * (1.0 - t * t))


activation(
    "mish(x: f[*s]) -> f[*s]",
    "x·tanh(softplus(x)) (Misra 2020)",
    _mish,
    _mish_grad,
    unary(-5, 5),
)
activation(
    "log_sigmoid(x: f[*s]) -> f[*s]",
    "log σ(x), written so that it does not overflow",
    lambda xp, x: xp.minimum(x, 0) - xp.log1p(xp.exp(-xp.abs(x))),
    lambda g, y, x: g * F.sigmoid(-x),
    unary(-5, 5),
)

# ---- Gaussian units ----------------------------------------------------------------------------------------------------------------

activation(
    "erf(x: f[*s]) -> f[*s]",
    "the error function 2/√π · ∫₀ˣ exp(-t²) dt",
    erf,
    lambda g, y, x: g * (F.exp(-(x * x)) * (2 / sqrt(pi))),
    unary(-4, 4),
    onnx="Erf",
)


def _gelu(xp: Any, x: Any, approximate: str) -> Any:
    if approximate == "tanh":
        return x * 0.5 * (1.0 + xp.tanh((x + x * x * x * CUBIC) * ROOT_2_OVER_PI))
    return x * 0.5 * (1.0 + erf(xp, x * ROOT_HALF))


def _gelu_slope(xp: Any, x: Any, approximate: str) -> Any:
    """∂gelu/∂x = Φ(x) + x·φ(x); of the tanh form ½(1 + t) + ½x·(1 - t²)·√(2/π)·(1 + 3·0.044715·x²)."""
    square = x * x
    if approximate == "tanh":
        t = xp.tanh(x * (1.0 + square * CUBIC) * ROOT_2_OVER_PI)
        return 0.5 * (1.0 + t) + x * (1.0 - t * t) * (1.0 + square * (3 * CUBIC)) * (0.5 * ROOT_2_OVER_PI)
    return 0.5 * (1.0 + erf(xp, x * ROOT_HALF)) + x * xp.exp(square * -0.5) * DENSITY


def _slope_grad(g: Val, y: Val, x: Val, approximate: str) -> Val:
    """Second derivative of gelu: φ(x)·(2 - x²), or that of the tanh form by the chain rule."""
    if approximate != "tanh":
        return g * (F.exp(x * x * -0.5) * DENSITY * (2.0 - x * x))
    t = F.tanh((x + x * x * x * CUBIC) * ROOT_2_OVER_PI)
    s = 1.0 - t * t  # ∂t/∂x = s·u', u'' = 6·0.044715·√(2/π)·x
    first = (1.0 + x * x * (3 * CUBIC)) * ROOT_2_OVER_PI
    return g * (s * first + x * s * (3 * CUBIC * ROOT_2_OVER_PI) * x - x * t * s * first * first)


def _gelu_shape(x: TensorType, approximate: str) -> TensorType:
    if approximate not in ("none", "tanh"):
        raise Mismatch("approximate", '`approximate` of `gelu` is "none" or "tanh"', wanted='"none" or "tanh"', found=f'"{approximate}"')
    return x


def _gelu_cases(rng: Any) -> list[Case]:
    return [case for form in ("none", "tanh") for case in unary(-4, 4, approximate=form)(rng)]


activation(
    'gelu(x: f[*s], approximate: string = "none") -> f[*s]',
    'x·Φ(x) with the normal distribution Φ; "tanh": ½x·(1 + tanh(√(2/π)·(x + 0.044715·x³))) (Hendrycks and Gimpel 2016)',
    _gelu,
    lambda g, y, x, approximate: g * F.gelu_slope(x, approximate=approximate),
    _gelu_cases,
    shape=_gelu_shape,
)
activation(
    'gelu_slope(x: f[*s], approximate: string = "none") -> f[*s]',
    "the derivative of gelu",
    _gelu_slope,
    _slope_grad,
    _gelu_cases,
    shape=_gelu_shape,
    internal=True,
    example="",
)

# ---- piecewise linear --------------------------------------------------------------------------------------------------------------


def _clip(xp: Any, x: Any, low: float, high: float) -> Any:
    return xp.minimum(xp.maximum(x, low), high)


activation(
    "relu6(x: f[*s]) -> f[*s]",
    "min(max(x, 0), 6) (Krizhevsky 2010)",
    lambda xp, x: _clip(xp, x, 0, 6),
    lambda g, y, x: between(g, x, 0.0, 6.0),
    unary(-3, 9, kinks=(0, 6)),
)


def _hardtanh_shape(x: TensorType, min: float, max: float) -> TensorType:
    if min > max:
        raise Mismatch("max", "`max` of `hardtanh` is at least `min`", wanted=f">= {min}", found=str(max))
    return x


activation(
    "hardtanh(x: f[*s], min: float = -1.0, max: float = 1.0) -> f[*s]",
    "x limited to min … max (Collobert 2004); outside no gradient passes",
    lambda xp, x, min, max: _clip(xp, x, min, max),
    lambda g, y, x, min, max: between(g, x, min, max),
    unary(kinks=(-1, 1.5), min=-1.0, max=1.5),
    shape=_hardtanh_shape,
)


def _hardsigmoid_grad(g: Val, y: Val, x: Val, slope: float, offset: float) -> Val:
    return between(g, x * slope + offset, 0.0, 1.0) * slope


activation(
    "hardsigmoid(x: f[*s], slope: float = 0.16666666666666666, offset: float = 0.5) -> f[*s]",
    "slope·x + offset limited to 0 … 1 (Courbariaux et al. 2015; these defaults: Howard et al. 2019)",
    lambda xp, x, slope, offset: _clip(xp, x * slope + offset, 0, 1),
    _hardsigmoid_grad,
    unary(-5, 5, kinks=(-2.5, 2.5), slope=0.2, offset=0.5),
)
activation(
    "hardswish(x: f[*s]) -> f[*s]",
    "x·min(max(x + 3, 0), 6) / 6 (Howard et al. 2019)",
    lambda xp, x: x * (_clip(xp, x + 3, 0, 6) * (1 / 6)),
    lambda g, y, x: g * F.clip(x * (1 / 6) + 0.5, min=0.0, max=1.0) + between(g, x, -3.0, 3.0) * x * (1 / 6),
    unary(-6, 6, kinks=(-3, 3)),
)
activation(
    "softsign(x: f[*s]) -> f[*s]",
    "x / (1 + |x|) (Bergstra et al. 2009)",
    lambda xp, x: x / (1 + xp.abs(x)),
    lambda g, y, x: g / F.square(1.0 + F.abs(x)),
    unary(kinks=(0,)),
    onnx="Softsign",
)

# ---- shrinking ---------------------------------------------------------------------------------------------------------------------


def _shrink_shape(x: TensorType, limit: float) -> TensorType:
    if limit < 0:
        raise Mismatch("limit", "`limit` is at least 0", wanted=">= 0", found=str(limit))
    return x


activation(
    "tanhshrink(x: f[*s]) -> f[*s]",
    "x - tanh(x)",
    lambda xp, x: x - xp.tanh(x),
    lambda g, y, x: g * F.square(F.tanh(x)),
    unary(),
)
activation(
    "softshrink(x: f[*s], limit: float = 0.5) -> f[*s]",
    "x moved towards 0 by `limit`, and 0 nearer than that (Donoho 1995)",
    lambda xp, x, limit: x - _clip(xp, x, -limit, limit),
    lambda g, y, x, limit: F.where(F.greater(F.abs(x), constant(x, limit)), g, zero(g)),
    unary(kinks=(-0.5, 0.5), limit=0.5),
    shape=_shrink_shape,
)
activation(
    "hardshrink(x: f[*s], limit: float = 0.5) -> f[*s]",
    "x, and 0 where |x| is at most `limit`",
    lambda xp, x, limit: xp.where(xp.abs(x) > limit, x, xp.zeros_like(x)),
    lambda g, y, x, limit: F.where(F.greater(F.abs(x), constant(x, limit)), g, zero(g)),
    unary(kinks=(-0.5, 0.5), limit=0.5),
    shape=_shrink_shape,
)

# ---- learned slope -----------------------------------------------------------------------------------------------------------------


def _per_channel(x: Any, slope: Any) -> Any:
    return slope.reshape(1, -1, *([1] * (x.ndim - 2)))


def _prelu_grad_slope(g: Val, y: Val, x: Val, slope: Val) -> Val:
    # ∂L/∂slope[c] = Σ g·min(x, 0)
    return F.channel_dot(g, F.minimum(x, zero(x)))


def _prelu_grad_x(g: Val, y: Val, x: Val, slope: Val) -> Val:
    return g * F.where(F.greater(x, zero(x)), one(x), per_channel(slope, x.type.rank))


def _prelu_cases(rng: Any) -> list[Case]:
    return [Case((away(rng, shape, -2, 2, (0,)), rng.uniform(-1, 1, shape[1]))) for shape in ((3, 2), (2, 3, 4), (1, 2, 3, 2))]


op(
    "prelu(x: f[n, c, *s], slope: f[c]) -> f[n, c, *s]",
    "x for x > 0, else slope·x with one learned slope for each channel (axis 1) (He et al. 2015)",
    kind="norm",
    eval=lambda xp, x, slope: xp.where(x > 0, x, x * _per_channel(x, slope)),
    grad={"x": _prelu_grad_x, "slope": _prelu_grad_slope},
    sample=_prelu_cases,
    example="y = op.prelu(image, mean(image, axis=[0, 2, 3]))",
)
