"""Losses of each value against a target of the same shape: one table of formulas, one row for each (R11, R15)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from dslc.ir.types import TensorType
from dslc.ops.counting import as_counted, averaged, averaged_val, check_factors, coefficient, count_of, counted, counted_val, extras
from dslc.ops.support import as_float, one
from dslc.ops.table import Case, Mismatch, op
from dslc.ops.value import F, Val

LOG_2 = 0.6931471805599453
Sampler = Callable[[Any], list[Case]]


class Pair(NamedTuple):
    """The loss of one value x against its target t.

    each(xp, x, t, **settings): in arrays. spelled(x, t, **settings): in plain rows, as it is exported.
    dx, dt(x, t, **settings): its derivatives, None where there is none on purpose. positive: settings that must be above 0.
    """

    each: Callable[..., Any]
    spelled: Callable[..., Val]
    dx: Callable[..., Val]
    dt: Callable[..., Val] | None
    positive: tuple[str, ...] = ()


PAIRS: dict[str, Pair] = {}


def pair_shape(name: str) -> Callable[..., TensorType]:
    def shape(x: TensorType, target: TensorType, mask: TensorType | None = None, weight: TensorType | None = None, *,
              each: bool, **settings: Any) -> TensorType:  # fmt: skip
        if target.shape not in (x.shape, ()):
            raise Mismatch("target", "`target` has the shape of `x`, or is a number", wanted=str(x), found=str(target), other="x")
        check_factors(x.shape, x.dtype, mask=mask, weight=weight)
        for key in PAIRS[name].positive:
            if settings[key] <= 0:
                raise Mismatch(key, f"`{key}` is above 0", wanted="> 0", found=str(settings[key]))
        return TensorType(dtype=x.dtype, shape=x.shape if each else ())

    return shape


def pair_eval(pair: Pair) -> Callable[..., Any]:
    def run(xp: Any, x: Any, target: Any, mask: Any = None, weight: Any = None, *, each: bool, **settings: Any) -> Any:
        loss = pair.each(xp, x, target.astype(x.dtype), **settings)
        return averaged(xp, loss, counted(xp, x.shape, x.real.dtype, mask, weight), each)

    return run


def pair_grad(derivative: Callable[..., Val]) -> Callable[..., Val]:
    def rule(g: Val, y: Val, x: Val, target: Val, mask: Val | None = None, weight: Val | None = None, *, each: bool,
             **settings: Any) -> Val:  # fmt: skip
        count = counted_val(x, x.type.shape, mask, weight)
        factor = coefficient(g, x, x.type.shape, count, each)
        return as_counted(derivative(x, as_float(target, x.type.dtype), **settings) * factor, count)

    return rule


def pair_parts(name: str) -> Callable[..., tuple[Val, Val]]:
    def parts(x: Val, target: Val, mask: Val | None = None, weight: Val | None = None, *, each: bool, **settings: Any) -> tuple[Val, Val]:
        given, names = extras(mask=mask, weight=weight)
        losses = getattr(F, name)(x, target, *given, optional=names, each=True, **settings)
        return F.sum(losses), count_of(x, x.type.shape, counted_val(x, x.type.shape, mask, weight))

    return parts


def spelled(name: str, x: Val, target: Val, mask: Val | None = None, weight: Val | None = None, *, each: bool, **settings: Any) -> Val:
    """The row as plain rows."""
    shape = x.type.shape
    loss = PAIRS[name].spelled(x, as_float(target, x.type.dtype), **settings)
    return averaged_val(loss, counted_val(x, shape, mask, weight), each)


Gap = Callable[[Any, Any], Any]


def apart(x: Any, t: Any, gap: Gap | None) -> Any:
    """x, moved where its distance to a kink of the loss, `gap(x, t)`, is below 0.05."""
    import numpy as np

    while gap is not None and (near := np.abs(gap(x, t)) < 0.05).any():
        x = np.where(near, x + 0.13, x)
    return x


def targets(low: float, high: float, choice: tuple[float, ...] = (), gap: Gap | None = None, **settings: Any) -> Sampler:
    """Cases with targets between two numbers, or one of the chosen ones; `gap`: 0 at the kinks."""

    def draw(rng: Any) -> list[Case]:
        def target(shape: tuple[int, ...]) -> Any:
            return rng.choice(choice, shape) if choice else rng.uniform(low, high, shape)

        found = []
        for shape in ((4,), (2, 3), (1, 1, 2)):
            free, t, one = rng.uniform(0.1, 3, shape) * rng.choice([-1, 1], shape), target(shape), target(())
            x = apart(free, t, gap)
            mask = rng.integers(0, 2, shape).astype(bool)
            mask.flat[0] = True
            plain = {"each": False, **settings}
            found += [Case((x, t), plain), Case((x, t), {**plain, "each": True}), Case((apart(free, one, gap), one), plain)]
            found.append(Case((x, t, mask), {**plain, "optional": ("mask",)}))
            found.append(Case((x, t, rng.uniform(0.5, 2, shape)), {**plain, "optional": ("weight",)}))
        return found

    return draw


def pair(name: str, doc: str, formula: Pair, sample: Sampler, settings: str = "", target: float = 1) -> None:
    """Declare the row `name`."""
    PAIRS[name] = formula
    op(
        f"{name}(x: f[*s], target: t[*r], mask: t2[*m] = none, weight: f[*w] = none, {settings}{', ' if settings else ''}"
        "each: bool = false) -> f[]",
        doc,
        kind="loss",
        eval=pair_eval(formula),
        grad={
            "x": pair_grad(formula.dx),
            "target": None if formula.dt is None else pair_grad(formula.dt),
            "mask": None,
            "weight": None,
        },
        shape=pair_shape(name),
        sample=sample,
        parts=pair_parts(name),
        example=f"y = {name}(x, {target})",
    )


# ---- formulas ---------------------------------------------------------------------------------------------------------------


def _huber(xp: Any, x: Any, t: Any, delta: float) -> Any:
    d = xp.abs(x - t)
    inner = xp.minimum(d, delta)
    return inner * (d - 0.5 * inner)


def _huber_spelled(x: Val, t: Val, delta: float) -> Val:
    d = F.abs(x - t)
    inner = F.minimum(d, x.builder.constant(delta, x.type.dtype))
    return inner * (d - 0.5 * inner)


def _smooth_spelled(x: Val, t: Val, beta: float) -> Val:
    return _huber_spelled(x, t, beta) / beta


def _log_cosh(xp: Any, x: Any, t: Any) -> Any:
    # log cosh d = log1p(2·sinh²(d/2)): exact for small d; |d| - log 2 + log1p(exp(-2|d|)) does not overflow for large
    d = xp.abs(x - t)
    half = xp.sinh(xp.minimum(d, 1) / 2)
    return xp.where(d < 1, xp.log1p(2 * half * half), d - LOG_2 + xp.log1p(xp.exp(-2 * d)))


def _log_cosh_spelled(x: Val, t: Val) -> Val:
    d = F.abs(x - t)
    unit = one(d)
    half = F.sinh(F.minimum(d, unit) / 2)
    return F.where(F.less(d, unit), F.log1p(2.0 * (half * half)), d - LOG_2 + F.log1p(F.exp(-2.0 * d)))


def _clipped(x: Val, t: Val, limit: float) -> Val:
    return F.clip(x - t, min=-limit, max=limit)


def _gap(x: Val, t: Val, margin: float) -> Val:
    return F.relu(margin - t * x)


def _entropy(xp: Any, x: Any, t: Any) -> Any:
    """-t·log σ(x) - (1 - t)·log(1 - σ(x)), written so that it does not overflow."""
    return xp.maximum(x, 0) - x * t + xp.log1p(xp.exp(-xp.abs(x)))


def _focal_weight(t: Any, alpha: float) -> Any:
    """α for a target of 1, 1 - α for one of 0, linear between."""
    return alpha * t + (1 - alpha) * (1 - t)


def _focal(xp: Any, x: Any, t: Any, gamma: float, alpha: float) -> Any:
    entropy = _entropy(xp, x, t)
    p = xp.exp(-_entropy(xp, x, 1.0))  # σ(x)
    wrong = p + t - 2 * p * t  # 1 - p_t: p where t is 0, 1 - p where it is 1
    loss = entropy * wrong**gamma
    return loss if alpha < 0 else loss * _focal_weight(t, alpha)


def _focal_pieces(x: Val, t: Val) -> tuple[Val, Val, Val]:
    p = F.sigmoid(x)
    return F.softplus(x) - x * t, p, p + t - 2.0 * (p * t)


def _focal_spelled(x: Val, t: Val, gamma: float, alpha: float) -> Val:
    entropy, _, wrong = _focal_pieces(x, t)
    loss = entropy * wrong**gamma
    return loss if alpha < 0 else loss * _focal_weight(t, alpha)


def _focal_dx(x: Val, t: Val, gamma: float, alpha: float) -> Val:
    # wrong^γ·(p - t) + γ·wrong^(γ-1)·(1 - 2t)·p(1 - p)·entropy
    entropy, p, wrong = _focal_pieces(x, t)
    slope = wrong**gamma * (p - t)
    if gamma:
        slope = slope + gamma * (wrong ** (gamma - 1)) * (1 - 2.0 * t) * (p * (1 - p)) * entropy
    return slope if alpha < 0 else slope * _focal_weight(t, alpha)


def _poisson(xp: Any, x: Any, t: Any) -> Any:
    return xp.exp(x) - t * x


pair(
    "binary_cross_entropy",
    "the mean of -t·log σ(x) - (1 - t)·log(1 - σ(x)); x are logits",
    Pair(
        each=_entropy,
        spelled=lambda x, t: F.softplus(x) - x * t,
        dx=lambda x, t: F.sigmoid(x) - t,
        dt=lambda x, t: -x,
    ),
    targets(0, 1),
)
pair(
    "mse",
    "the mean of (x - target)²",
    Pair(
        each=lambda xp, x, t: (x - t) * (x - t),
        spelled=lambda x, t: (x - t) * (x - t),
        dx=lambda x, t: 2.0 * (x - t),
        dt=lambda x, t: 2.0 * (t - x),
    ),
    targets(-2, 2),
    target=0,
)
pair(
    "mae",
    "the mean of |x - target| (L1); the gradient at 0 is 0",
    Pair(
        each=lambda xp, x, t: xp.abs(x - t),
        spelled=lambda x, t: F.abs(x - t),
        dx=lambda x, t: F.sign(x - t),
        dt=lambda x, t: F.sign(t - x),
    ),
    targets(-2, 2, gap=lambda x, t: x - t),
    target=0,
)
pair(
    "huber",
    "the mean of d²/2 up to delta, delta·(|d| - delta/2) beyond, with d = x - target (Huber 1964)",
    Pair(
        each=_huber,
        spelled=_huber_spelled,
        dx=lambda x, t, delta: _clipped(x, t, delta),
        dt=lambda x, t, delta: -_clipped(x, t, delta),
        positive=("delta",),
    ),
    targets(-2, 2, gap=lambda x, t: abs(x - t) - 0.7, delta=0.7),
    settings="delta: float = 1.0",
    target=0,
)
pair(
    "smooth_l1",
    "the mean of d²/(2·beta) up to beta, |d| - beta/2 beyond, with d = x - target: huber / beta (Girshick 2015)",
    Pair(
        each=lambda xp, x, t, beta: _huber(xp, x, t, beta) / beta,
        spelled=_smooth_spelled,
        dx=lambda x, t, beta: _clipped(x, t, beta) / beta,
        dt=lambda x, t, beta: -_clipped(x, t, beta) / beta,
        positive=("beta",),
    ),
    targets(-2, 2, gap=lambda x, t: abs(x - t) - 0.5, beta=0.5),
    settings="beta: float = 1.0",
    target=0,
)
pair(
    "log_cosh",
    "the mean of log cosh(x - target): a square near 0, |x - target| - log 2 far from it",
    Pair(
        each=_log_cosh,
        spelled=_log_cosh_spelled,
        dx=lambda x, t: F.tanh(x - t),
        dt=lambda x, t: F.tanh(t - x),
    ),
    targets(-2, 2),
    target=0,
)
pair(
    "hinge",
    "the mean of max(0, margin - target·x) for targets -1 and 1 (Cortes and Vapnik 1995)",
    Pair(
        each=lambda xp, x, t, margin: xp.maximum(margin - t * x, 0),
        spelled=_gap,
        dx=lambda x, t, margin: -(t * F.heaviside(margin - t * x)),
        dt=lambda x, t, margin: -(x * F.heaviside(margin - t * x)),
    ),
    targets(-1, 1, (-1.0, 1.0), gap=lambda x, t: 1 - t * x, margin=1.0),
    settings="margin: float = 1.0",
)
pair(
    "squared_hinge",
    "the mean of max(0, margin - target·x)² for targets -1 and 1",
    Pair(
        each=lambda xp, x, t, margin: xp.maximum(margin - t * x, 0) ** 2,
        spelled=lambda x, t, margin: _gap(x, t, margin) * _gap(x, t, margin),
        dx=lambda x, t, margin: -2.0 * (t * _gap(x, t, margin)),
        dt=lambda x, t, margin: -2.0 * (x * _gap(x, t, margin)),
    ),
    targets(-1, 1, (-1.0, 1.0), gap=lambda x, t: 1 - t * x, margin=1.0),
    settings="margin: float = 1.0",
)
pair(
    "focal",
    "the mean of -alpha_t·(1 - p_t)^gamma·log p_t, p_t the probability of the target by σ(x); alpha below 0: no weight (Lin et al. 2017)",
    Pair(each=_focal, spelled=_focal_spelled, dx=_focal_dx, dt=None),
    targets(0, 1, (0.0, 1.0)),
    settings="gamma: float = 2.0, alpha: float = 0.25",
)
pair(
    "poisson_nll",
    "the mean of exp(x) - target·x: counts with the logarithm of their rate, without log(target!)",
    Pair(
        each=_poisson,
        spelled=lambda x, t: F.exp(x) - t * x,
        dx=lambda x, t: F.exp(x) - t,
        dt=lambda x, t: -x,
    ),
    targets(0, 4),
)
