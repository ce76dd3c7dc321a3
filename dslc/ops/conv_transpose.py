"""The transposed convolution (Zeiler et al. 2010; Dumoulin and Visin 2016): the adjoint of `conv`, which is what it is computed as.

⟨conv_transpose(x, w), z⟩ = ⟨x, conv(z, w)⟩, so with the kernels w of a convolution from o to c channels it leads from c to o channels:
y = conv_grad_x(x, w), and its gradients are conv(g, w) for x and conv_grad_w(g, x) for w.
"""

from __future__ import annotations

from typing import Any

from dslc.ir.types import Dim, TensorType
from dslc.ops.conv import SETTINGS, conv_grad_x, fixed
from dslc.ops.support import sizes
from dslc.ops.table import Case, Mismatch, op
from dslc.ops.value import F
from dslc.ops.window import spatial


def conv_transpose_shape(x: TensorType, w: TensorType, stride: Any, pad: Any, dilation: Any, groups: int, output_pad: Any) -> TensorType:
    """(size - 1)·stride + extent - pads + output_pad along each axis, size·stride with `same`."""
    axes = spatial("conv_transpose", x)
    if w.rank != x.rank or w.shape[0] != x.shape[1]:
        raise Mismatch("w", f"`w` of `conv_transpose` begins with the {x.shape[1]} channels of `x`", wanted=str(x), found=str(w), other="x")
    if groups < 1 or x.shape[1] % groups != Dim.of(0):
        reason = f"{x.shape[1]} channels cannot be put into {groups} groups"
        raise Mismatch("groups", reason, wanted="a divisor", found=str(groups))
    kernel = fixed(w.shape[2:])
    check_output_pad(stride, pad, output_pad)
    found = []
    for axis, size in enumerate(axes):
        result = result_size(size, kernel[axis], stride[axis], dilation[axis], "same" if pad == "same" else pad[axis], output_pad[axis])
        if result.sign() in (-1, 0):
            raise Mismatch("pad", f"nothing is left of axis {axis + 2}", wanted=">= 1", found=str(result), axis=axis + 2)
        found.append(result)
    return TensorType(dtype=x.dtype, shape=(x.shape[0], w.shape[1] * groups, *found))


def check_output_pad(stride: Any, pad: Any, output_pad: Any) -> None:
    """Of the `stride` sizes that a convolution makes equal, `output_pad` chooses one; `same` has chosen already."""
    for extra, step in zip(output_pad, stride, strict=True):
        if extra >= step:
            raise Mismatch("output_pad", f"`output_pad` is below the stride {step}", wanted=f"< {step}", found=str(extra))
    if pad == "same" and any(output_pad):
        raise Mismatch(
            "output_pad", 'with pad="same" the result is size · stride: there is no `output_pad`', wanted="0", found=str(output_pad)
        )


def result_size(size: Dim, kernel: int, stride: int, dilation: int, pad: Any, extra: int) -> Dim:
    """The size along one axis; `pad` is "same" or (before, after)."""
    if pad == "same":
        return size * stride
    pads: int = sum(pad)
    return (size - 1) * stride + (dilation * (kernel - 1) + 1 - pads + extra)


def conv_transpose(xp: Any, x: Any, w: Any, stride: Any, pad: Any, dilation: Any, groups: int, output_pad: Any) -> Any:
    size = counts_of(x.shape, w.shape, stride, pad, dilation, output_pad)
    return conv_grad_x(xp, x, w, size, stride, pad, dilation, groups)


def counts_of(x: Any, w: Any, stride: Any, pad: Any, dilation: Any, output_pad: Any) -> tuple[int, ...]:
    """The spatial sizes of the result from the shapes of x and w."""
    pads = ["same"] * len(stride) if pad == "same" else pad
    rows = zip(x[2:], w[2:], stride, dilation, pads, output_pad, strict=True)
    return tuple(result_size(Dim.of(size), k, s, d, p, extra).constant for size, k, s, d, p, extra in rows)


# ---- samples: 2-D, 1-D and 3-D; output pads, uneven pads, `same`, stride above the kernel, dilation, groups, sizes of 1 ----------

SHAPES: tuple[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]], ...] = (
    ((2, 3, 3, 2), (3, 2, 3, 2), {}),
    ((1, 2, 3, 4), (2, 2, 3, 3), {"stride": (2, 2), "pad": ((1, 1), (1, 1)), "output_pad": (1, 0)}),
    ((2, 4, 2, 3), (4, 3, 2, 3), {"stride": (3, 2), "pad": ((0, 1), (1, 0)), "groups": 2, "output_pad": (2, 1)}),
    ((1, 2, 3, 2), (2, 1, 4, 2), {"stride": (2, 3), "pad": "same"}),
    ((1, 2, 3, 3), (2, 1, 2, 2), {"stride": (1, 1), "pad": ((1, 0), (0, 1)), "dilation": (2, 1), "groups": 2}),
    ((1, 1, 1, 1), (1, 1, 1, 1), {"stride": (2, 2)}),
    ((2, 2, 4), (2, 3, 3), {"stride": (2,), "pad": ((1, 1),), "dilation": (2,), "output_pad": (1,)}),
    ((1, 2, 2, 3, 2), (2, 1, 2, 2, 2), {"stride": (2, 1, 2), "pad": ((0, 0), (1, 0), (0, 1)), "output_pad": (0, 0, 1)}),
)


def cases(rng: Any) -> list[Case]:
    return [Case((rng.uniform(-1, 1, x), rng.uniform(-1, 1, w)), dict(attrs)) for x, w, attrs in SHAPES]


op(
    f"conv_transpose(x: f[n, c, *s], w: f[c, o, *k], {SETTINGS}, output_pad: sizes = 0) -> f[n, o, *t]",
    "the transposed convolution, the adjoint of conv: it enlarges where conv makes smaller; `output_pad` adds to the end of each axis",
    kind="conv",
    eval=conv_transpose,
    grad={
        "x": lambda g, y, x, w, output_pad, **a: F.conv(g, w, **a),
        "w": lambda g, y, x, w, output_pad, **a: F.conv_grad_w(g, x, kernel=sizes(w)[2:], **a),
    },
    shape=conv_transpose_shape,
    sample=cases,
    analytic=True,
    example="k = op.transpose(kernel, [1, 0, 2, 3])\ny = op.conv_transpose(image, k, stride=2, pad=1, output_pad=1)",
)
