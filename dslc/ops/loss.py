"""Losses and accuracy: means over the predictions that count (R15). `parts` gives total and count, to join batches (R16)."""

from __future__ import annotations

from typing import Any

from dslc.ir.types import Dim, DType, TensorType
from dslc.ops.norm import log_softmax
from dslc.ops.support import as_float, attr_shape, number, one, product, reshape, sizes, zero
from dslc.ops.table import Case, Mismatch, op, unsupported
from dslc.ops.value import F, Val

LOSS_ONLY = unsupported("a loss or metric is not part of a network")

# ---- what counts ------------------------------------------------------------------------------------------------------------


def counted(xp: Any, shape: tuple[int, ...], dtype: Any, mask: Any, weight: Any, hit: Any = None) -> Any:
    """How much each prediction counts, or None where all count 1."""
    factors = [f.astype(dtype) for f in (hit, mask, weight) if f is not None]
    if not factors:
        return None
    total = xp.ones(shape, dtype)
    for factor in factors:
        total = total * factor
    return total


def averaged(xp: Any, each: Any, count: Any, keep: bool) -> Any:
    """`each` as it counts, or its mean over what counts; 0 where nothing counts."""
    if count is not None:
        each = each * count
    if keep:
        return each
    if count is None:
        return xp.mean(each)
    total = xp.sum(count)
    return xp.sum(each) / xp.where(total == 0, xp.ones((), total.dtype), total)


def counted_val(x: Val, shape: tuple[Dim, ...], mask: Val | None, weight: Val | None, hit: Val | None = None) -> Val | None:
    """`counted` as a graph."""
    total: Val | None = None
    for factor in (hit, mask, weight):
        if factor is not None:
            factor = as_float(factor, x.type.dtype)
            total = factor if total is None else total * factor
    if total is not None and total.type.shape != shape:
        total = F.broadcast(total, shape=attr_shape(shape))
    return total


def count_of(x: Val, shape: tuple[Dim, ...], count: Val | None) -> Val:
    """The number of predictions that count."""
    return number(x, product(shape)) if count is None else F.sum(count)


def coefficient(g: Val, x: Val, shape: tuple[Dim, ...], count: Val | None, each: bool) -> Val:
    """∂L/∂(each prediction's loss): a scalar, or one for each prediction."""
    if each:
        return g if count is None else g * count
    if count is None:
        return g / number(g, product(shape))
    total = F.sum(count)
    safe = F.where(F.equal(total, zero(g)), one(g), total)
    return g / safe * count


def check_factors(shape: tuple[Dim, ...], dtype: DType, **factors: TensorType | None) -> None:
    """mask and weight have one entry for each prediction, or are scalars."""
    wanted = TensorType(dtype=dtype, shape=shape)
    for name, type in factors.items():
        if type is not None and type.shape not in (shape, ()):
            raise Mismatch(name, f"`{name}` has one value for each prediction", wanted=str(wanted), found=str(type))


def extras(**factors: Val | None) -> tuple[list[Val], tuple[str, ...]]:
    """The optional inputs that are given, and their names."""
    given = {name: value for name, value in factors.items() if value is not None}
    return list(given.values()), tuple(given)


# ---- cross entropy -----------------------------------------------------------------------------------------------------------


def rest(x: TensorType, axis: int) -> tuple[Dim, ...]:
    """The shape of x without the axis of the classes."""
    if not -x.rank <= axis < x.rank:
        raise Mismatch("axis", f"there is no axis {axis} in {x}", wanted=f"{-x.rank} … {x.rank - 1}", found=str(axis))
    return tuple(size for i, size in enumerate(x.shape) if i != axis % x.rank)


def class_shape(x: TensorType, label: TensorType, mask: TensorType | None = None, weight: TensorType | None = None, *, axis: int,
                each: bool, **settings: Any) -> TensorType:  # fmt: skip
    shape = rest(x, axis)
    if label.shape != shape:
        wanted = TensorType(dtype=label.dtype, shape=shape)
        raise Mismatch("label", "`label` has one class index for each prediction", wanted=str(wanted), found=str(label), other="x")
    check_factors(shape, x.dtype, mask=mask, weight=weight)
    smoothing = settings.get("smoothing", 0.0)
    if not 0 <= smoothing < 1:
        raise Mismatch("smoothing", "`smoothing` is from 0 to below 1", wanted="0 … 1", found=str(smoothing))
    if settings.get("k", 1) < 1:
        raise Mismatch("k", "`k` is at least 1", wanted=">= 1", found=str(settings["k"]))
    return TensorType(dtype=x.dtype, shape=shape if each else ())


def cross_entropy(xp: Any, x: Any, label: Any, mask: Any = None, weight: Any = None, *, smoothing: float, ignore: int | None,
                  each: bool, axis: int) -> Any:  # fmt: skip
    """-(1 - ε)·log p[label] - ε·mean(log p), with p = softmax(x) (Szegedy et al. 2016 for the smoothing ε)."""
    logp = log_softmax(xp, x, axis)
    hit = None if ignore is None else label != ignore
    index = class_index(xp, label, hit, x.shape[axis])
    loss = -xp.take_along_axis(logp, xp.expand_dims(index, axis), axis).squeeze(axis)
    if smoothing:
        loss = (1 - smoothing) * loss - smoothing * xp.mean(logp, axis=axis)
    return averaged(xp, loss, counted(xp, loss.shape, x.real.dtype, mask, weight, hit), each)


def class_index(xp: Any, label: Any, hit: Any, classes: int) -> Any:
    """The labels, 0 where they do not count; IndexError where one is no class (a negative one would count from the end)."""
    index = (label if hit is None else xp.where(hit, label, xp.zeros((), label.dtype))).astype("int64")
    low, high = index.min(), index.max()
    if low < 0 or high >= classes:
        raise IndexError(f"a label is {low if low < 0 else high}, and there are {classes} classes from 0 on")
    return index


def kept(label: Val, ignore: int | None) -> Val | None:
    """Where the label is not the ignored one."""
    return None if ignore is None else F.not_equal(label, label.builder.constant(ignore, label.type.dtype))


def cross_entropy_grad(g: Val, y: Val, x: Val, label: Val, mask: Val | None = None, weight: Val | None = None, *, smoothing: float,
                       ignore: int | None, each: bool, axis: int) -> Val:  # fmt: skip
    # ∂L/∂x = (p - (1 - ε)·onehot - ε/K) · coefficient
    shape, at = rest(x.type, axis), axis % x.type.rank
    label = F.cast(label, dtype=DType.i64)
    factor = coefficient(g, x, shape, counted_val(x, shape, mask, weight, kept(label, ignore)), each)
    one_hot = F.cast(F.equal(inserted(label, at), class_numbers(x, at)), dtype=x.type.dtype)
    target = one_hot if not smoothing else one_hot * (1 - smoothing) + smoothing / number(g, x.type.shape[at])
    return (F.softmax(x, axis=axis) - target) * (inserted(factor, at) if factor.type.rank else factor)


def inserted(value: Val, axis: int) -> Val:
    """With an axis of size 1 put in."""
    shape = list(sizes(value))
    return reshape(value, [*shape[:axis], 1, *shape[axis:]])


def class_numbers(x: Val, axis: int) -> Val:
    """0 … K - 1 along the axis of the classes."""
    size = sizes(x)[axis]
    numbers = x.builder.one("arange", (), count=size)
    return reshape(numbers, [size if i == axis else 1 for i in range(x.type.rank)])


def cross_entropy_parts(x: Val, label: Val, mask: Val | None = None, weight: Val | None = None, *, smoothing: float, ignore: int | None,
                        each: bool, axis: int) -> tuple[Val, Val]:  # fmt: skip
    given, names = extras(mask=mask, weight=weight)
    losses = F.cross_entropy(x, label, *given, optional=names, smoothing=smoothing, ignore=ignore, each=True, axis=axis)
    shape = rest(x.type, axis)
    return F.sum(losses), count_of(x, shape, counted_val(x, shape, mask, weight, kept(label, ignore)))


def class_cases(rng: Any) -> list[Case]:
    import numpy as np

    found = []
    for shape, axis in (((4, 3), -1), ((2, 3, 5), -1), ((2, 4, 3), 1), ((1, 2), -1)):
        x = rng.uniform(-3, 3, shape)
        rows = tuple(n for i, n in enumerate(shape) if i != axis % len(shape))
        label = rng.integers(0, shape[axis], rows)
        plain: dict[str, Any] = {"smoothing": 0.0, "ignore": None, "each": False, "axis": axis}
        found += [Case((x, label), plain), Case((x, label), {**plain, "smoothing": 0.1, "each": True})]
        found.append(Case((x, np.where(np.arange(label.size).reshape(rows) % 3 == 1, -100, label)), {**plain, "ignore": -100}))
        mask = np.arange(label.size).reshape(rows) % 2 == 0
        found.append(Case((x, label.astype(np.uint8), mask), {**plain, "optional": ("mask",)}))
        found.append(Case((x, label, mask, rng.uniform(0.5, 2, rows)), {**plain, "optional": ("mask", "weight"), "smoothing": 0.2}))
    return found


op(
    "cross_entropy(x: f[*s], label: i64[*r], mask: t[*m] = none, weight: f[*w] = none, smoothing: float = 0.0, ignore: int = none, "
    "each: bool = false, axis: int = -1) -> f[]",
    "the mean of -log softmax(x)[label]; x are logits, labels equal to `ignore` do not count",
    kind="loss",
    eval=cross_entropy,
    grad={"x": cross_entropy_grad, "mask": None, "weight": None},
    shape=class_shape,
    onnx=LOSS_ONLY,
    sample=class_cases,
    analytic=True,
    parts=cross_entropy_parts,
    example="y = cross_entropy(x, label, smoothing=0.1)",
)

# ---- accuracy ---------------------------------------------------------------------------------------------------------------------


def accuracy(
    xp: Any, x: Any, label: Any, mask: Any = None, weight: Any = None, *, k: int, ignore: int | None, each: bool, axis: int
) -> Any:
    """Right if fewer than k classes come before the label; of equal scores the lower index comes first, as in argmax."""
    hit = None if ignore is None else label != ignore
    index = xp.expand_dims(class_index(xp, label, hit, x.shape[axis]), axis)
    score = xp.take_along_axis(x, index, axis)
    numbers = xp.arange(x.shape[axis]).reshape([-1 if i == axis % x.ndim else 1 for i in range(x.ndim)])
    before = xp.sum((x > score) | ((x == score) & (numbers < index)), axis=axis)
    right = ((before < k) & xp.all(x == x, axis=axis)).astype(x.dtype)
    return averaged(xp, right, counted(xp, right.shape, x.dtype, mask, weight, hit), each)


def accuracy_parts(x: Val, label: Val, mask: Val | None = None, weight: Val | None = None, *, k: int, ignore: int | None, each: bool,
                   axis: int) -> tuple[Val, Val]:  # fmt: skip
    given, names = extras(mask=mask, weight=weight)
    right = F.accuracy(x, label, *given, optional=names, k=k, ignore=ignore, each=True, axis=axis)
    shape = rest(x.type, axis)
    return F.sum(right), count_of(x, shape, counted_val(x, shape, mask, weight, kept(label, ignore)))


def accuracy_cases(rng: Any) -> list[Case]:
    return [
        Case(case.inputs, {"k": 1 + number % 2, **{key: value for key, value in case.attrs.items() if key != "smoothing"}})
        for number, case in enumerate(class_cases(rng))
    ]


op(
    "accuracy(x: f[*s], label: i64[*r], mask: t[*m] = none, weight: f[*w] = none, k: int = 1, ignore: int = none, each: bool = false, "
    "axis: int = -1) -> f[]",
    "the part of the predictions whose label is among the k largest scores",
    kind="loss",
    eval=accuracy,
    grad={"x": None, "mask": None, "weight": None},
    shape=class_shape,
    onnx=LOSS_ONLY,
    sample=accuracy_cases,
    parts=accuracy_parts,
    example="y = accuracy(x, label, k=2)",
)

# ---- against a target of the same shape -----------------------------------------------------------------------------------------------


def target_shape(x: TensorType, target: TensorType, mask: TensorType | None = None, weight: TensorType | None = None, *,
                 each: bool) -> TensorType:  # fmt: skip
    if target.shape not in (x.shape, ()):
        raise Mismatch("target", "`target` has the shape of `x`, or is a number", wanted=str(x), found=str(target), other="x")
    check_factors(x.shape, x.dtype, mask=mask, weight=weight)
    return TensorType(dtype=x.dtype, shape=x.shape if each else ())


def binary_cross_entropy(xp: Any, x: Any, target: Any, mask: Any = None, weight: Any = None, *, each: bool) -> Any:
    """-t·log σ(x) - (1 - t)·log(1 - σ(x)) = max(x, 0) - x·t + log(1 + exp(-|x|))."""
    loss = xp.maximum(x, 0) - x * target.astype(x.dtype) + xp.log1p(xp.exp(-xp.abs(x)))
    return averaged(xp, loss, counted(xp, x.shape, x.dtype, mask, weight), each)


def mse(xp: Any, x: Any, target: Any, mask: Any = None, weight: Any = None, *, each: bool) -> Any:
    difference = x - target.astype(x.dtype)
    return averaged(xp, difference * difference, counted(xp, x.shape, x.real.dtype, mask, weight), each)


def _factor(g: Val, x: Val, mask: Val | None, weight: Val | None, each: bool) -> Val:
    return coefficient(g, x, x.type.shape, counted_val(x, x.type.shape, mask, weight), each)


def _bce_grad(g: Val, y: Val, x: Val, target: Val, mask: Val | None = None, weight: Val | None = None, *, each: bool) -> Val:
    return (F.sigmoid(x) - as_float(target, x.type.dtype)) * _factor(g, x, mask, weight, each)


def _bce_grad_target(g: Val, y: Val, x: Val, target: Val, mask: Val | None = None, weight: Val | None = None, *, each: bool) -> Val:
    return -x * _factor(g, x, mask, weight, each)


def _mse_grad(g: Val, y: Val, x: Val, target: Val, mask: Val | None = None, weight: Val | None = None, *, each: bool) -> Val:
    return 2.0 * (x - as_float(target, x.type.dtype)) * _factor(g, x, mask, weight, each)


def _mse_grad_target(g: Val, y: Val, x: Val, target: Val, mask: Val | None = None, weight: Val | None = None, *, each: bool) -> Val:
    return -_mse_grad(g, y, x, target, mask, weight, each=each)


def target_parts(name: str) -> Any:
    def parts(x: Val, target: Val, mask: Val | None = None, weight: Val | None = None, *, each: bool) -> tuple[Val, Val]:
        given, names = extras(mask=mask, weight=weight)
        losses = getattr(F, name)(x, target, *given, optional=names, each=True)
        return F.sum(losses), count_of(x, x.type.shape, counted_val(x, x.type.shape, mask, weight))

    return parts


def target_cases(low: float, high: float) -> Any:
    def draw(rng: Any) -> list[Case]:
        found = []
        for shape in ((4,), (2, 3), (1, 1, 2)):
            x, t = rng.uniform(0.1, 3, shape) * rng.choice([-1, 1], shape), rng.uniform(low, high, shape)
            mask = rng.integers(0, 2, shape).astype(bool)
            mask.flat[0] = True
            found += [Case((x, t), {"each": False}), Case((x, t), {"each": True}), Case((x, rng.uniform(low, high, ())), {"each": False})]
            found.append(Case((x, t, mask), {"each": False, "optional": ("mask",)}))
            found.append(Case((x, t, rng.uniform(0.5, 2, shape)), {"each": False, "optional": ("weight",)}))
        return found

    return draw


op(
    "binary_cross_entropy(x: f[*s], target: t[*r], mask: t2[*m] = none, weight: f[*w] = none, each: bool = false) -> f[]",
    "the mean of -t·log σ(x) - (1 - t)·log(1 - σ(x)); x are logits",
    kind="loss",
    eval=binary_cross_entropy,
    grad={"x": _bce_grad, "target": _bce_grad_target, "mask": None, "weight": None},
    shape=target_shape,
    onnx=LOSS_ONLY,
    sample=target_cases(0, 1),
    parts=target_parts("binary_cross_entropy"),
    example="y = binary_cross_entropy(x, 1)",
)
op(
    "mse(x: f[*s], target: t[*r], mask: t2[*m] = none, weight: f[*w] = none, each: bool = false) -> f[]",
    "the mean of (x - target)²",
    kind="loss",
    eval=mse,
    grad={"x": _mse_grad, "target": _mse_grad_target, "mask": None, "weight": None},
    shape=target_shape,
    onnx=LOSS_ONLY,
    sample=target_cases(-2, 2),
    parts=target_parts("mse"),
    example="y = mse(x, 0)",
)
