"""Random changes of each sample: mirrored, moved. What a sample gets depends on its number alone, not on its batch (R23)."""

from __future__ import annotations

from typing import Any

from dslc.ir.types import TensorType
from dslc.ops import philox
from dslc.ops.random import NOT_EXPORTED
from dslc.ops.table import Case, Mismatch, op
from dslc.ops.value import F

# ---- mirrored ---------------------------------------------------------------------------------------------------------------


def flipped(xp: Any, key: Any, stream: int, samples: int) -> Any:
    """Whether each sample is mirrored."""
    return philox.uniform(xp, key, stream, (samples,), "float64") < 0.5


def random_flip(xp: Any, x: Any, key: Any, stream: int) -> Any:
    which = flipped(xp, key, stream, x.shape[0]).reshape(-1, *([1] * (x.ndim - 1)))
    return xp.where(which, x[..., ::-1], x)


op(
    "random_flip(x: t[n, c, *s], stream: int = 0) -> t[n, c, *s]",
    "each sample mirrored along the last axis with probability 1/2",
    kind="random",
    eval=random_flip,
    grad={"x": lambda g, y, x, key, stream: F.random_flip(g, key, stream=stream)},
    onnx=NOT_EXPORTED,
    sample=lambda rng: cases(rng, {}),
    random=True,
    example="y = op.random_flip(image)",
)

# ---- moved ------------------------------------------------------------------------------------------------------------------


def offsets(xp: Any, key: Any, stream: int, samples: int, axes: int, pixels: int) -> Any:
    """[samples, axes]: whole numbers from -pixels to pixels, each as likely as the others."""
    places = philox.uniform(xp, key, stream, (samples, axes), "float64") * (2 * pixels + 1)
    return xp.floor(places).astype("int64") - pixels


def window(offset: int, size: int) -> tuple[slice, slice]:
    """Along one axis: where the sample goes, and what of it stays."""
    moved = min(abs(offset), size)
    ahead, behind = slice(moved, size), slice(0, size - moved)
    return (ahead, behind) if offset > 0 else (behind, ahead)


def moved(xp: Any, x: Any, key: Any, pixels: int, stream: int, sign: int) -> Any:
    result = xp.zeros(x.shape, x.dtype)
    move(result, x, offsets(xp, key, stream, x.shape[0], x.ndim - 2, pixels) * sign)
    return result


def move(result: Any, x: Any, by: Any) -> None:
    """Put each sample of x, moved by its offsets, into `result`, which is 0."""
    for number in range(x.shape[0]):
        pairs = [window(int(offset), size) for offset, size in zip(by[number], x.shape[2:], strict=True)]
        into, out = ((number, slice(None), *(pair[side] for pair in pairs)) for side in (0, 1))
        result[into] = x[out]


def shift_shape(x: TensorType, pixels: int, stream: int) -> TensorType:
    if not 0 <= pixels <= 2**20:
        raise Mismatch("pixels", "`pixels` is from 0 to 2^20", wanted="0 … 2^20", found=str(pixels))
    if x.rank < 3:
        raise Mismatch("x", "`x` has spatial axes: [batch, channels, *spatial]", wanted="3 axes or more", found=str(x))
    return x


op(
    "random_shift(x: t[n, c, *s], pixels: int, stream: int = 0) -> t[n, c, *s]",
    "each sample moved by up to `pixels` along each spatial axis, filled with zeros",
    kind="random",
    eval=lambda xp, x, key, pixels, stream: moved(xp, x, key, pixels, stream, 1),
    grad={"x": lambda g, y, x, key, pixels, stream: F.random_shift_back(g, key, pixels=pixels, stream=stream)},
    shape=shift_shape,
    onnx=NOT_EXPORTED,
    sample=lambda rng: cases(rng, {"pixels": 2}),
    random=True,
    example="y = op.random_shift(image, 2)",
)
op(
    "random_shift_back(x: t[n, c, *s], pixels: int, stream: int = 0) -> t[n, c, *s]",
    "the gradient of random_shift: each sample moved the other way",
    kind="random",
    eval=lambda xp, x, key, pixels, stream: moved(xp, x, key, pixels, stream, -1),
    grad={"x": lambda g, y, x, key, pixels, stream: F.random_shift(g, key, pixels=pixels, stream=stream)},
    shape=shift_shape,
    onnx=NOT_EXPORTED,
    sample=lambda rng: cases(rng, {"pixels": 2}),
    internal=True,
    random=True,
)


def cases(rng: Any, settings: dict[str, int]) -> list[Case]:
    import numpy as np

    key = np.array([7, 3, 11], np.int64)
    shapes = ((3, 1, 4), (2, 2, 3, 3), (1, 1, 5, 1), (5, 1, 2, 2, 3))
    return [Case((rng.uniform(-2, 2, shape), key), {**settings, "stream": 5}) for shape in shapes]
