"""PyTorch's counterpart of every row that runs: the same parameters under the same names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch
import torch.nn.functional as tf
from torch import Tensor

from dslc.ir.types import DType
from tests.peers.torch_losses import LOSSES
from tests.peers.torch_math import MATH
from tests.peers.torch_metrics import METRICS

DTYPES = {
    DType.f32: torch.float32,
    DType.f64: torch.float64,
    DType.i32: torch.int32,
    DType.i64: torch.int64,
    DType.u8: torch.uint8,
    DType.u64: torch.uint64,
    DType.bool: torch.bool,
}
Pairs = Sequence[tuple[int, int]]


def pullback(f: Callable[[Tensor], Tensor], x: Tensor, g: Tensor) -> Tensor:
    """The gradient of ⟨f(x), g⟩ for x."""
    leaf = x.detach().clone().requires_grad_()
    return torch.autograd.grad(f(leaf), leaf, g, create_graph=True)[0]


# ---- reductions and movement ------------------------------------------------------------------------------------------------


def every(x: Tensor, axis: Any) -> tuple[int, ...]:
    return tuple(range(x.dim())) if axis is None else axis if isinstance(axis, tuple) else (axis,)


def masked_sum(x: Tensor, mask: Tensor | None = None, *, axis: Any, keep: bool) -> Tensor:
    kept = x if mask is None else x.masked_fill(~mask, 0)
    return kept.sum(every(x, axis), keepdim=keep, dtype=x.dtype)


def all_true(x: Tensor, axis: Any, keep: bool) -> Tensor:
    for a in sorted((a % x.dim() for a in every(x, axis)), reverse=True):
        x = x.all(a, keepdim=keep)
    return x


def constant(value: Any, dtype: DType) -> Tensor:
    return torch.tensor(value, dtype=DTYPES[dtype])


def gather(x: Tensor, index: Tensor, axis: int) -> Tensor:
    axis %= x.dim()
    picked = torch.index_select(x, axis, index.long().reshape(-1))
    return picked.reshape((*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]))


def scatter_add(g: Tensor, index: Tensor, size: int, axis: int) -> Tensor:
    at = axis % (g.dim() - index.dim() + 1)
    rows = g.reshape(*g.shape[:at], -1, *g.shape[at + index.dim() :])
    return rows.new_zeros(*rows.shape[:at], size, *rows.shape[at + 1 :]).index_add(at, index.reshape(-1), rows)


def pad(x: Tensor, before: Any, after: Any, value: float, mode: str = "constant") -> Tensor:
    """PyTorch's other modes want batch and channels in front, and one to three axes with a border behind them."""
    around = flat(list(zip(before, after, strict=True)))
    if mode == "constant":
        return tf.pad(x, around, value=value)
    name = {"edge": "replicate", "reflect": "reflect", "wrap": "circular"}[mode]
    return tf.pad(x[None, None], around, mode=name)[0, 0]


def flat(pairs: Pairs) -> list[int]:
    """PyTorch wants the last axis first."""
    return [amount for pair in reversed(pairs) for amount in pair]


# ---- windows ----------------------------------------------------------------------------------------------------------------


def same(shape: Sequence[int], kernel: Any, stride: Any, dilation: Any) -> Pairs:
    pairs = []
    for size, k, s, d in zip(shape, kernel, stride, dilation, strict=True):
        total = max((-(-size // s) - 1) * s + (k - 1) * d + 1 - size, 0)
        pairs.append((total // 2, total - total // 2))
    return pairs


def conv(x: Tensor, w: Tensor, stride: Any, pad: Any, dilation: Any, groups: int) -> Tensor:
    pairs = same(x.shape[2:], w.shape[2:], stride, dilation) if pad == "same" else pad
    function = (tf.conv1d, tf.conv2d, tf.conv3d)[x.dim() - 3]
    return function(tf.pad(x, flat(pairs)), w, None, stride, 0, dilation, groups)


def conv_grad_x(g: Tensor, w: Tensor, size: Any, groups: int, **a: Any) -> Tensor:
    return pullback(lambda x: conv(x, w, groups=groups, **a), g.new_zeros(g.shape[0], w.shape[1] * groups, *size), g)


def conv_transpose(x: Tensor, w: Tensor, stride: Any, pad: Any, dilation: Any, groups: int, output_pad: Any) -> Tensor:
    """Without padding, then cut at the start and cut or lengthened at the end."""
    function: Any = (tf.conv_transpose1d, tf.conv_transpose2d, tf.conv_transpose3d)[x.dim() - 3]
    full = function(x, w, None, stride, 0, 0, groups, dilation)
    ends = []
    for axis, (step, extra) in enumerate(zip(stride, output_pad, strict=True)):
        size, rest = x.shape[axis + 2] * step, full.shape[axis + 2] - x.shape[axis + 2] * step
        before = max(rest, 0) // 2 if pad == "same" else pad[axis][0]
        wanted = size if pad == "same" else full.shape[axis + 2] - sum(pad[axis]) + extra
        ends.append((-before, wanted + before - full.shape[axis + 2]))
    return tf.pad(full, flat(ends))


def conv_grad_w(x: Tensor, g: Tensor, kernel: Any, groups: int, **a: Any) -> Tensor:
    return pullback(lambda w: conv(x, w, groups=groups, **a), g.new_zeros(g.shape[1], x.shape[1] // groups, *kernel), g)


def framed(x: Tensor, kernel: Any, stride: Any, pad: Any, ceil: bool) -> tuple[Pairs, Pairs]:
    """The pads, and how far the last window of each axis reaches beyond them (`ceil`)."""
    pads = same(x.shape[2:], kernel, stride, (1,) * len(kernel)) if pad == "same" else pad
    beyond = []
    for size, (before, after), k, s in zip(x.shape[2:], pads, kernel, stride, strict=True):
        room = size + before + after - k
        count = -(-room // s) + 1 if ceil else room // s + 1
        if (count - 1) * s >= size + before:
            count -= 1
        beyond.append((0, max((count - 1) * s + k - size - before - after, 0)))
    return pads, beyond


def unfold(x: Tensor, kernel: Any, stride: Any, pad: Any, dilation: Any) -> Tensor:
    """PyTorch's own for two axes (one is a picture of height 1), else the windows of one axis after the other."""
    full = tf.pad(x, flat(same(x.shape[2:], kernel, stride, dilation) if pad == "same" else pad))
    if len(kernel) == 1:
        return tf.unfold(full[:, :, None], (1, *kernel), (1, *dilation), 0, (1, *stride))
    if len(kernel) == 2:
        return tf.unfold(full, kernel, dilation, 0, stride)
    for axis, (k, s, d) in enumerate(zip(kernel, stride, dilation, strict=True), 2):
        full = full.unfold(axis, d * (k - 1) + 1, s)[..., ::d]
    axes = len(kernel)
    order = (0, 1, *range(2 + axes, 2 + 2 * axes), *range(2, 2 + axes))
    return full.permute(order).reshape(x.shape[0], x.shape[1] * prod(kernel), -1)


def fold(x: Tensor, size: Any, kernel: Any, pad: Any, **a: Any) -> Tensor:
    """PyTorch's own for two axes with equal pads on both sides, else the adjoint of `unfold`."""
    if len(size) == 2 and pad != "same" and all(before == after for before, after in pad):
        return tf.fold(x, size, kernel, a["dilation"], [before for before, _ in pad], a["stride"])
    image = x.new_zeros(x.shape[0], x.shape[1] // prod(kernel), *size)
    return pullback(lambda t: unfold(t, kernel=kernel, pad=pad, **a), image, x)


def space_to_depth(x: Tensor, scale: int, mode: str) -> Tensor:
    """PyTorch's own has the places of a channel together."""
    y = tf.pixel_unshuffle(x, scale)
    if mode == "CRD":
        return y
    n, c = x.shape[:2]
    return y.reshape(n, c, scale * scale, *y.shape[2:]).transpose(1, 2).reshape(y.shape)


def depth_to_space(x: Tensor, scale: int, mode: str) -> Tensor:
    if mode == "DCR":
        x = x.reshape(x.shape[0], scale * scale, -1, *x.shape[2:]).transpose(1, 2).reshape(x.shape)
    return tf.pixel_shuffle(x, scale)


def max_windows(x: Tensor, kernel: Any, stride: Any, pad: Any, ceil: bool) -> tuple[Tensor, Tensor, list[int]]:
    """The maxima, their flat indices in the padded input, and the padding."""
    pads, beyond = framed(x, kernel, stride, pad, ceil)
    around = flat([(before, after + more) for (before, after), (_, more) in zip(pads, beyond, strict=True)])
    function: Any = (tf.max_pool1d, tf.max_pool2d, tf.max_pool3d)[x.dim() - 3]
    values, places = function(tf.pad(x, around, value=float("-inf")), kernel, stride, return_indices=True)
    return values, places, around


def max_pool(x: Tensor, **a: Any) -> Tensor:
    return max_windows(x, **a)[0]


def max_pool_take(x: Tensor, y: Tensor, h: Tensor, **a: Any) -> Tensor:
    _, places, around = max_windows(x, **a)
    return torch.gather(tf.pad(h, around).flatten(2), 2, places.flatten(2)).reshape(y.shape)


def avg_pool(x: Tensor, kernel: Any, stride: Any, pad: Any, ceil: bool, count_pad: bool) -> Tensor:
    """The sum of each window over how many places in it count."""
    pads, beyond = framed(x, kernel, stride, pad, ceil)
    inside = tf.pad(torch.ones_like(x), flat(pads), value=float(count_pad))
    function: Any = (tf.avg_pool1d, tf.avg_pool2d, tf.avg_pool3d)[x.dim() - 3]
    total, count = (
        function(tf.pad(value, flat(beyond)), kernel, stride) * prod(kernel) for value in (tf.pad(x, flat(pads)), inside)
    )  # fmt: skip
    return total / count.detach()


def max_pool_indices(x: Tensor, **a: Any) -> tuple[Tensor, Tensor]:
    """PyTorch's own indices, counted without the padding."""
    values, flat_index, around = max_windows(x, **a)
    starts, ends = around[-2::-2], around[-1::-2]
    index = torch.zeros_like(flat_index)
    step = own = 1
    for n, before, after in zip(reversed(x.shape[2:]), reversed(starts), reversed(ends), strict=True):
        index += (flat_index // step % (n + before + after) - before) * own
        step, own = step * (n + before + after), own * n
    return values, index


def unpool_kept(index: Tensor, size: Any) -> Tensor:
    """Whether no later one has the same index."""
    rows = index.flatten(2).tolist()
    kept = [[[at not in row[i + 1 :] for i, at in enumerate(row)] for row in plane] for plane in rows]
    return torch.tensor(kept).reshape(index.shape)


def max_unpool(x: Tensor, index: Tensor, kernel: Any, stride: Any, pad: Any, size: Any) -> Tensor:
    """The values that stay, each added to a zero."""
    if size is None:
        pairs = same(x.shape[2:], kernel, stride, (1,) * len(kernel)) if pad == "same" else pad
        size = [(n - 1) * s + k - sum(p) for n, k, s, p in zip(x.shape[2:], kernel, stride, pairs, strict=True)]
    staying = x * unpool_kept(index, size)
    return x.new_zeros(*x.shape[:2], prod(size)).scatter_add(2, index.flatten(2), staying.flatten(2)).reshape(*x.shape[:2], *size)


def sum_pool(x: Tensor, kernel: Any, stride: Any, pad: Any, ceil: bool) -> Tensor:
    pads, beyond = framed(x, kernel, stride, pad, ceil)
    function: Any = (tf.avg_pool1d, tf.avg_pool2d, tf.avg_pool3d)[x.dim() - 3]
    return function(tf.pad(tf.pad(x, flat(pads)), flat(beyond)), kernel, stride) * prod(kernel)


LINEAR = ("linear", "bilinear", "trilinear")


def resize(x: Tensor, scale: Any, size: Any, mode: str, coordinates: str) -> Tensor:
    """PyTorch's own where it has the convention, else axis by axis from the formula."""
    wanted = size or tuple(n * factor for n, factor in zip(x.shape[2:], scale, strict=True))
    if mode == "linear" and coordinates != "asymmetric":
        return tf.interpolate(x, wanted, mode=LINEAR[x.dim() - 3], align_corners=coordinates == "align_corners")
    if mode == "nearest" and coordinates != "align_corners":
        return tf.interpolate(x, wanted, mode="nearest" if coordinates == "asymmetric" else "nearest-exact")
    for axis, m in enumerate(wanted, 2):
        n = x.shape[axis]
        places = [d * (n - 1) / max(m - 1, 1) if mode == "nearest" else min(d * n / m, n - 1) for d in range(m)]
        if mode == "nearest":
            x = x.index_select(axis, torch.tensor([int(p + 0.5) for p in places]))
            continue
        low = torch.tensor([int(p) for p in places])
        part = x.new_tensor([p - int(p) for p in places]).reshape([-1 if i == axis else 1 for i in range(x.dim())])
        x = x.index_select(axis, low) * (1 - part) + x.index_select(axis, (low + 1).clamp(max=n - 1)) * part
    return x


# ---- norms ------------------------------------------------------------------------------------------------------------------


def others(x: Tensor) -> list[int]:
    return [axis for axis in range(x.dim()) if axis != 1]


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    return x.mean(others(x)), x.var(others(x), unbiased=False)


def channels(v: Tensor, x: Tensor) -> Tensor:
    return v.reshape(1, -1, *([1] * (x.dim() - 2)))


def normalize(x: Tensor, axis: Any, eps: float) -> Tensor:
    variance, mean = torch.var_mean(x, every(x, axis), correction=0, keepdim=True)
    return (x - mean) / torch.sqrt(variance + eps)


def circular_conv(x: Tensor, kernel: Tensor) -> Tensor:
    return sum(torch.roll(x, a - kernel.shape[-1] // 2, -1) * kernel[..., a, None] for a in range(kernel.shape[-1]))  # type: ignore[return-value]


def softmax(x: Tensor, mask: Tensor | None = None, axis: int = -1) -> Tensor:
    if mask is None:
        return torch.softmax(x, axis)
    return torch.softmax(x.masked_fill(~mask, torch.finfo(x.dtype).min), axis) * mask


# ---- the table --------------------------------------------------------------------------------------------------------------

FUNCTIONS: dict[str, Callable[..., Any]] = {
    **MATH,
    **LOSSES,
    **METRICS,
    "add": torch.add,
    "subtract": torch.subtract,
    "multiply": torch.multiply,
    "divide": torch.true_divide,
    "floor_divide": torch.floor_divide,
    "remainder": torch.remainder,
    "pow": torch.pow,
    "negative": torch.negative,
    "stop_gradient": torch.detach,
    "minimum": torch.minimum,
    "maximum": torch.maximum,
    "equal": torch.eq,
    "not_equal": torch.ne,
    "less": torch.lt,
    "less_equal": torch.le,
    "greater": torch.gt,
    "greater_equal": torch.ge,
    "logical_and": torch.logical_and,
    "logical_or": torch.logical_or,
    "logical_not": torch.logical_not,
    "where": torch.where,
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "softplus": lambda x: torch.logaddexp(x, torch.zeros_like(x)),
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "leaky_relu": lambda x, slope: tf.leaky_relu(x, slope),
    "abs": torch.abs,
    "sign": torch.sign,
    "heaviside": lambda x: torch.heaviside(x, x.new_zeros(())),
    "clip": lambda x, min, max: torch.clamp(x, min, max),
    "cast": lambda x, dtype: x.to(DTYPES[dtype]),
    "sum": masked_sum,
    "mean": lambda x, axis, keep: x.mean(every(x, axis), keepdim=keep),
    "max": lambda x, axis, keep: x.amax(every(x, axis), keepdim=keep),
    "min": lambda x, axis, keep: x.amin(every(x, axis), keepdim=keep),
    "all": all_true,
    "argmax": lambda x, axis: x.argmax(axis),
    "constant": constant,
    "size": lambda dim, dtype: torch.tensor(dim, dtype=DTYPES[dtype]),
    "arange": lambda count, dtype=DType.i64: torch.arange(count, dtype=DTYPES[dtype]),
    "reshape": lambda x, shape: x.reshape(shape),
    "flatten": lambda x: x.reshape(x.shape[0], -1),
    "transpose": lambda x, axes: x.transpose(-1, -2) if axes is None else x.permute(axes),
    "slice": lambda x, starts, stops: x[tuple(slice(i, j) for i, j in zip(starts, stops, strict=True))],
    "pad": pad,
    "pad_grad": lambda g, before, after, mode: pullback(
        lambda x: pad(x, before, after, 0, mode), g.new_zeros([s - b - a for s, b, a in zip(g.shape, before, after, strict=True)]), g
    ),
    "concat": lambda *xs, axis: torch.cat(xs, axis),
    "stack": lambda *xs, axis: torch.stack(xs, axis),
    "split": lambda x, parts, axis: torch.chunk(x, parts, axis),
    "broadcast": lambda x, shape: x.expand(shape),
    "gather": gather,
    "scatter_add": scatter_add,
    "matmul": torch.matmul,
    "conv": conv,
    "conv_grad_x": conv_grad_x,
    "conv_transpose": conv_transpose,
    "conv_grad_w": conv_grad_w,
    "max_pool": max_pool,
    "max_pool_grad": lambda x, y, g, **a: pullback(lambda t: max_pool(t, **a), x, g),
    "max_pool_take": max_pool_take,
    "avg_pool": avg_pool,
    "avg_pool_grad": lambda g, size, **a: pullback(lambda t: avg_pool(t, **a), g.new_zeros(*g.shape[:2], *size), g),
    "softmax": softmax,
    "log_softmax": lambda x, axis: torch.log_softmax(x, axis),
    "channel_moments": moments,
    "channel_affine": lambda x, scale, shift: x * channels(scale, x) + channels(shift, x),
    "channel_dot": lambda a, b: (a * b).sum(others(a)),
    "normalize": normalize,
    "group_normalize": lambda x, groups, eps: tf.group_norm(x, groups, eps=eps),
    "rms_normalize": lambda x, axis, eps: x / torch.sqrt(x.square().mean(every(x, axis), keepdim=True) + eps),
    "circular_conv": circular_conv,
    "lrn": lambda x, size, alpha, beta, k: tf.local_response_norm(x, size, alpha, beta, k),
    "channel_window_sum": lambda x, size: sum(tf.pad(x.movedim(1, -1), (size // 2, size // 2)).unfold(-1, size, 1).unbind(-1)).movedim(
        -1, 1
    ),
    "max_pool_indices": max_pool_indices,
    "max_unpool": max_unpool,
    "unpool_kept": unpool_kept,
    "sum_pool": sum_pool,
    "sum_pool_grad": lambda g, size, **a: pullback(lambda t: sum_pool(t, **a), g.new_zeros(*g.shape[:2], *size), g),
    "lp_pool": lambda x, p, **a: sum_pool(x.abs() ** p, **a) ** (1 / p),
    "space_to_depth": space_to_depth,
    "depth_to_space": depth_to_space,
    "unfold": unfold,
    "fold": fold,
    "resize": resize,
    "resize_grad": lambda g, size, **a: pullback(lambda t: resize(t, None, tuple(g.shape[2:]), **a), g.new_zeros(*g.shape[:2], *size), g),
}
