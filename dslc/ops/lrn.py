"""Local response normalisation across channels (Krizhevsky et al. 2012, section 3.3).

y = x / (k + α/size · Σ x²)^β, where the sum runs over the `size` channels around each one, fewer at the first and the last channels.
The division of α by the size is Caffe's, PyTorch's and ONNX's convention; the paper writes α without it: its α = 10⁻⁴ with size 5 is 5·10⁻⁴
here. Caffe's AlexNet keeps 10⁻⁴, and has k = 1 where the paper has k = 2.
"""

from __future__ import annotations

from typing import Any

from dslc.ir.types import TensorType
from dslc.ops.table import Case, Mismatch, op
from dslc.ops.value import F, Val


def check_size(name: str, size: int) -> None:
    """The window is centred, so its size is odd."""
    if size < 1 or size % 2 == 0:
        raise Mismatch("size", f"`size` of `{name}` is odd and at least 1: the channel and as many on either side", "an odd int", str(size))


def lrn_shape(x: TensorType, size: int, alpha: float, beta: float, k: float) -> TensorType:
    check_size("lrn", size)
    for name, value in (("alpha", alpha), ("k", k)):
        if value < 0 or (name == "k" and value == 0):
            raise Mismatch(name, f"`{name}` of `lrn` is {'above 0' if name == 'k' else 'at least 0'}", found=str(value))
    return x


def window_sum(xp: Any, x: Any, size: int) -> Any:
    """Σ of the `size` channels around each one."""
    half, channels = size // 2, x.shape[1]
    total = xp.array(x)
    for shift in range(1, min(half, channels - 1) + 1):
        total[:, shift:] += x[:, :-shift]
        total[:, :-shift] += x[:, shift:]
    return total


def window_shape(x: TensorType, size: int) -> TensorType:
    check_size("channel_window_sum", size)
    return x


def lrn(xp: Any, x: Any, size: int, alpha: float, beta: float, k: float) -> Any:
    return x * (k + (alpha / size) * window_sum(xp, x * x, size)) ** -beta


def _lrn_grad(g: Val, y: Val, x: Val, size: int, alpha: float, beta: float, k: float) -> Val:
    # with d = k + α/n Σ x² : ∂L/∂x = g·d^-β - (2αβ/n) · x · Σ g·x·d^(-β-1); the window is centred, so its sum is its own adjoint
    d = F.channel_window_sum(x * x, size=size) * (alpha / size) + k
    scaled = g * d ** (-beta)
    return scaled - x * F.channel_window_sum(scaled * x / d, size=size) * (2 * alpha * beta / size)


SHAPES = (((2, 5, 3, 2), 3), ((1, 3, 2, 2), 5), ((1, 4, 3), 3), ((1, 7, 2, 1, 2), 5), ((1, 1, 1, 1), 3), ((2, 4, 2, 2), 1))


def cases(rng: Any) -> list[Case]:
    settings = ({"alpha": 0.3, "beta": 0.75, "k": 1.0}, {"alpha": 1.0, "beta": 0.5, "k": 2.0}, {"alpha": 0.5, "beta": 1.3, "k": 1.5})
    return [Case((rng.uniform(-2, 2, s),), {"size": size, **settings[i % 3]}) for i, (s, size) in enumerate(SHAPES)]


op(
    "lrn(x: f[n, c, *s], size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 1) -> f[n, c, *s]",
    "x / (k + alpha/size · Σ x²)^beta, the sum over the `size` channels around each (Krizhevsky et al. 2012); alpha is divided by `size`",
    kind="norm",
    eval=lrn,
    grad={"x": _lrn_grad},
    shape=lrn_shape,
    sample=cases,
    analytic=True,
    example="y = op.lrn(image, size=5, alpha=1e-4, beta=0.75)",
)
op(
    "channel_window_sum(x: f[n, c, *s], size: int) -> f[n, c, *s]",
    "the sum of the `size` channels around each one; it is its own gradient",
    kind="norm",
    eval=window_sum,
    grad={"x": lambda g, y, x, size: F.channel_window_sum(g, size=size)},
    shape=window_shape,
    sample=lambda rng: [Case((rng.uniform(-2, 2, s),), {"size": size}) for s, size in SHAPES],
    analytic=True,
    internal=True,
)
