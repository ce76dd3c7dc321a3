"""Three ways to convolve over BLAS, on the shapes of the shipped networks: `python -m bench.convolution`.

im2col   kh·kw copies of the input, one GEMM an image
shifted  no copies: kh·kw GEMMs an image on shifted views of the padded input, added up
rows     kw copies, one GEMM an output row over a block of images (what `runtime/kernels/numpy/correlate.py` does)

Figures are GFLOP/s of the best of several runs, BLAS and copies on one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from runtime.kernels.numpy import conv
from runtime.workers import single_blas

Array = Any
SHAPES = (  # images, channels, height, filters, kernel, pad
    ("lenet conv0", 64, 1, 28, 20, 5, 0),
    ("lenet conv1", 64, 20, 12, 50, 5, 0),
    ("resnet20 first", 64, 3, 32, 16, 3, 1),
    ("resnet20 stage 0", 64, 16, 32, 16, 3, 1),
    ("resnet20 stage 1", 64, 32, 16, 32, 3, 1),
    ("resnet20 stage 2", 64, 64, 8, 64, 3, 1),
    ("vgg8 first", 32, 3, 32, 64, 3, 1),
    ("vgg8 32×32", 32, 64, 32, 64, 3, 1),
    ("vgg8 16×16", 32, 128, 16, 128, 3, 1),
    ("vgg8 8×8", 32, 256, 8, 256, 3, 1),
)


def im2col(x: Array, w: Array, y: Array, pad: int) -> Callable[[], None]:
    images, channels, height, _ = x.shape
    filters, _, kernel, _ = w.shape
    side = y.shape[2]
    padded = np.zeros((images, channels, height + 2 * pad, height + 2 * pad), x.dtype)
    columns = np.empty((channels, kernel, kernel, side, side), x.dtype)
    stride = padded.strides
    windows = as_strided(padded, (images, channels, kernel, kernel, side, side), (*stride, *stride[2:]))
    flat, weights, results = columns.reshape(-1, side * side), w.reshape(filters, -1), y.reshape(images, filters, -1)

    def run() -> None:
        padded[:, :, pad : pad + height, pad : pad + height] = x
        for image in range(images):
            np.copyto(columns, windows[image])
            np.matmul(weights, flat, out=results[image])

    return run


def shifted(x: Array, w: Array, y: Array, pad: int) -> Callable[[], None]:
    images, channels, height, _ = x.shape
    filters, _, kernel, _ = w.shape
    side, wide = y.shape[2], height + 2 * pad
    padded = np.zeros((images, channels, wide * wide + kernel), x.dtype)
    inside = padded[:, :, : wide * wide].reshape(images, channels, wide, wide)[:, :, pad : pad + height, pad : pad + height]
    total, part = np.empty((2, filters, side * wide), x.dtype)
    weights = np.ascontiguousarray(w.transpose(2, 3, 0, 1))

    def run() -> None:
        inside[...] = x
        for image in range(images):
            for row in range(kernel):
                for column in range(kernel):
                    start = row * wide + column
                    view = padded[image, :, start : start + side * wide]
                    np.matmul(weights[row, column], view, out=part if start else total)
                    if start:
                        np.add(total, part, out=total)
            y[image] = total.reshape(filters, side, wide)[:, :, :side]

    return run


def attributes(pad: int) -> dict[str, Any]:
    return {"stride": (1, 1), "dilation": (1, 1), "pad": ((pad, pad), (pad, pad)), "groups": 1}


def scratch(shape: Sequence[int], dtype: str) -> Array:
    return np.zeros(tuple(shape), dtype)


def steps(function: Any, *arrays: Array, pad: int) -> Callable[[], None]:
    calls = function(*arrays, attributes(pad), scratch)

    def run() -> None:
        for call in calls:
            call()

    return run


def seconds(run: Callable[[], None], times: int = 7) -> float:
    """The best of several runs."""
    run()
    found = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        found.append(time.perf_counter() - start)
    return min(found)


def main() -> None:
    print("| shape | GFLOP | im2col | shifted | rows | rows: input gradient | rows: kernel gradient |")
    print("|---|---|---|---|---|---|---|")
    rng = np.random.default_rng(0)
    with single_blas():
        for name, images, channels, height, filters, kernel, pad in SHAPES:
            side = height + 2 * pad - kernel + 1
            x = rng.random((images, channels, height, height), np.float32)
            w = rng.random((filters, channels, kernel, kernel), np.float32)
            y, dx, dw = np.empty((images, filters, side, side), np.float32), np.empty_like(x), np.empty_like(w)
            ways = (
                im2col(x, w, y, pad),
                shifted(x, w, y, pad),
                steps(conv.forward, x, w, y, pad=pad),
                steps(conv.input_gradient, y, w, dx, pad=pad),
                steps(conv.kernel_gradient, x, y, dw, pad=pad),
            )
            work = 2e-9 * images * filters * side * side * channels * kernel * kernel
            print(f"| {name} | {work:.2f} | " + " | ".join(f"{work / seconds(way):.0f}" for way in ways) + " |", flush=True)


if __name__ == "__main__":
    main()
