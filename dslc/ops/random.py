"""Random draws: pure functions of the key (seed, step, first sample number), the stream (from the address) and the element (R23)."""

from __future__ import annotations

from typing import Any

from dslc.ir.types import Dim, DType, TensorType
from dslc.ops import philox
from dslc.ops.table import Case, Mismatch, op, unsupported

NOT_EXPORTED = unsupported("it depends on the seed and the step")
SETTINGS = "shape: shape, dtype: dtype = f32, stream: int = 0"


def drawn(*, shape: Any, dtype: DType, **_: Any) -> TensorType:
    """The result type; draws are floats."""
    if not dtype.is_float:
        raise Mismatch("dtype", "draws are floats", wanted="f32 or f64", found=str(dtype))
    return TensorType(dtype=dtype, shape=tuple(Dim.of(size) for size in shape))


def uniform(xp: Any, key: Any, *, low: float, high: float, shape: Any, dtype: DType, stream: int) -> Any:
    u = philox.uniform(xp, key, stream, shape, dtype.numpy)
    return u * xp.asarray(high - low, dtype.numpy) + xp.asarray(low, dtype.numpy)


def normal(xp: Any, key: Any, *, mean: float, std: float, shape: Any, dtype: DType, stream: int) -> Any:
    z = philox.normal(xp, key, stream, shape, dtype.numpy)
    return z * xp.asarray(std, dtype.numpy) + xp.asarray(mean, dtype.numpy)


def bernoulli(xp: Any, key: Any, *, p: float, shape: Any, dtype: DType, stream: int) -> Any:
    return (philox.uniform(xp, key, stream, shape, dtype.numpy) < p).astype(dtype.numpy)


def probability(*, p: float, **settings: Any) -> TensorType:
    if not 0 <= p <= 1:
        raise Mismatch("p", "`p` is a probability", wanted="0 … 1", found=str(p))
    return drawn(**settings)


def width(*, std: float, **settings: Any) -> TensorType:
    if std < 0:
        raise Mismatch("std", "`std` is at least 0", wanted=">= 0", found=str(std))
    return drawn(**settings)


def ordered(*, low: float, high: float, **settings: Any) -> TensorType:
    if not low < high:
        raise Mismatch("high", "`high` is above `low`", wanted=f"> {low}", found=str(high))
    return drawn(**settings)


def cases(**settings: float) -> Any:
    def draw(rng: Any) -> list[Case]:
        import numpy as np

        key = np.array([7, 3, 11], np.int64)
        shapes: tuple[tuple[int, ...], ...] = ((4,), (2, 3), (1, 5, 2))
        return [Case((key,), {**settings, "shape": shape, "dtype": DType.f64, "stream": 5}) for shape in shapes]

    return draw


op(
    f"bernoulli(p: float, {SETTINGS}) -> f[*s]",
    "1 with probability p, else 0",
    kind="random",
    eval=bernoulli,
    shape=probability,
    onnx=NOT_EXPORTED,
    sample=cases(p=0.25),
    random=True,
    example="y = x * bernoulli(0.5, shape=[batch, 3])",
)
op(
    f"uniform(low: float = 0.0, high: float = 1.0, {SETTINGS}) -> f[*s]",
    "uniform from low to high (rounding can reach high)",
    kind="random",
    eval=uniform,
    shape=ordered,
    onnx=NOT_EXPORTED,
    sample=cases(low=-1.0, high=2.0),
    random=True,
    example="y = x * uniform(shape=[batch, 3])",
)
op(
    f"normal(mean: float = 0.0, std: float = 1.0, {SETTINGS}) -> f[*s]",
    "normal with this mean and standard deviation",
    kind="random",
    eval=normal,
    shape=width,
    onnx=NOT_EXPORTED,
    sample=cases(mean=0.0, std=1.0),
    random=True,
    example="y = x + normal(shape=[batch, 3])",
)
