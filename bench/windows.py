"""Kernels over windows beside PyTorch's, one thread each: `python -m bench.windows [--write] [NAME …]`.

Every row is bound as the runtime binds it (cut along the samples, scratch reused) and timed at one shape; PyTorch runs the same function in
inference mode, or its backward pass alone. Figures are milliseconds, the best of several runs, f32; the ratio is ours over PyTorch's.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bench import page
from dslc.ir.types import tensor
from dslc.ops.infer import bind_attrs, evaluate
from runtime.arena import Scratch
from runtime.bind import along, shares
from runtime.device import NumpyDevice
from runtime.kernels import registry_of
from runtime.kernels.registry import Call, Signature
from runtime.workers import single_blas

Array = Any
Run = Callable[[], object]
KINDS = {"float32": "f32", "int64": "i64", "bool": "bool"}


def ours(name: str, inputs: Sequence[Array], attrs: Mapping[str, Any]) -> Run:
    """The row with its kernel, bound."""
    bound = bind_attrs(name, attrs, [tensor(KINDS[x.dtype.name], *x.shape) for x in inputs])
    outputs = [np.ascontiguousarray(y) for y in evaluate(name, np, inputs, bound)]
    specs = tuple((x.shape, x.dtype.name) for x in inputs), tuple((y.shape, y.dtype.name) for y in outputs)
    signature = Signature(name, *specs, bound, (True,) * len(inputs))
    kernel = registry_of("numpy").choose(signature)
    scratch = Scratch(NumpyDevice(), np.empty(1 << 28, np.uint8))
    call = Call(name, tuple(inputs), tuple(outputs), bound, scratch.take, np)
    split = kernel.split(signature)
    calls: list[Any] = []
    for part in next(shares(split, 1)) if split is not None else [None]:
        scratch.reset()
        piece = call
        if split is not None and part is not None:
            cut_in = tuple(along(x, axis, part) for x, axis in zip(inputs, split.inputs, strict=True))
            cut_out = tuple(along(y, axis, part) for y, axis in zip(outputs, split.outputs, strict=True))
            piece = replace(call, inputs=cut_in, outputs=cut_out)
        calls += kernel.bind(piece)

    def run() -> None:
        for step in calls:
            step()

    return run


def rows(rng: np.random.Generator) -> Iterator[tuple[str, Run, Run]]:
    """Name, ours, PyTorch's."""
    import torch
    import torch.nn.functional as tf

    def array(*shape: int) -> Array:
        return rng.random(shape, np.float32)

    def forward(function: Callable[..., Any], *arrays: Array) -> Run:
        given = [torch.from_numpy(x) for x in arrays]

        def run() -> object:
            with torch.inference_mode():
                return function(*given)

        return run

    def backward(function: Callable[..., Any], *arrays: Array, to: int = 0) -> Run:
        given = [torch.from_numpy(x) for x in arrays]
        given[to].requires_grad_()
        y = function(*given)
        g = torch.rand_like(y)
        return lambda: torch.autograd.grad(y, given[to], g, retain_graph=True)

    x = array(32, 64, 56, 56)
    around = {"before": (0, 0, 1, 1), "after": (0, 0, 1, 1)}
    grown = array(32, 64, 58, 58)
    for mode, theirs in (("constant", "constant"), ("edge", "replicate"), ("reflect", "reflect"), ("wrap", "circular")):
        pad = lambda x, theirs=theirs: tf.pad(x, (1, 1, 1, 1), mode=theirs)
        yield f"pad {mode}", ours("pad", [x], {**around, "mode": mode}), forward(pad, x)
        if mode != "constant":
            yield f"pad {mode}: gradient", ours("pad_grad", [grown], {**around, "mode": mode}), backward(pad, x.copy())
    for kernel, stride in ((2, 2), (3, 2), (3, 1)):
        settings = {"kernel": kernel, "stride": stride}
        y = np.asarray(evaluate("sum_pool", np, [x], bind_attrs("sum_pool", settings, [tensor("f32", *x.shape)]))[0])
        norm = lambda x, k=kernel, s=stride: tf.lp_pool2d(x, 2, k, s)
        total = lambda x, k=kernel, s=stride: tf.avg_pool2d(x, k, s, divisor_override=1)
        where = lambda x, k=kernel, s=stride: tf.max_pool2d(x, k, s, return_indices=True)
        words = f"{kernel}×{kernel} / {stride}"
        yield f"sum_pool {words}", ours("sum_pool", [x], settings), forward(total, x)
        yield f"sum_pool {words}: gradient", ours("sum_pool_grad", [y], {"size": (56, 56), **settings}), backward(total, x.copy())
        yield f"lp_pool {words}", ours("lp_pool", [x], {**settings, "p": 2.0}), forward(norm, x)
        yield f"max_pool_indices {words}", ours("max_pool_indices", [x], settings), forward(where, x)
        top, index = evaluate("max_pool_indices", np, [x], bind_attrs("max_pool_indices", settings, [tensor("f32", *x.shape)]))
        back = lambda y, i, k=kernel, s=stride: tf.max_unpool2d(y, i, k, s, output_size=(56, 56))
        yield f"max_unpool {words}", ours("max_unpool", [top, index], {**settings, "size": (56, 56)}), forward(back, top, index)
    for kernel, stride, pad in ((3, 1, 1), (2, 2, 0)):
        settings = {"kernel": kernel, "stride": stride, "pad": pad}
        columns = lambda x, k=kernel, s=stride, p=pad: tf.unfold(x, k, 1, p, s)
        image = lambda y, k=kernel, s=stride, p=pad: tf.fold(y, (56, 56), k, 1, p, s)
        y = np.asarray(evaluate("unfold", np, [x], bind_attrs("unfold", settings, [tensor("f32", *x.shape)]))[0])
        words = f"{kernel}×{kernel} / {stride}"
        yield f"unfold {words}", ours("unfold", [x], settings), forward(columns, x)
        yield f"fold {words}", ours("fold", [y], {"size": (56, 56), **settings}), forward(image, y)
    for channels, side, kernel, stride in ((32, 112, 3, 1), (64, 112, 3, 2), (128, 56, 3, 1), (512, 14, 3, 1), (1024, 7, 3, 1)):
        x, w = array(8, channels, side, side), array(channels, 1, kernel, kernel)
        settings = {"stride": stride, "pad": kernel // 2, "groups": channels}
        convolve = lambda x, w, s=stride, p=kernel // 2, c=channels: tf.conv2d(x, w, None, s, p, 1, c)
        y = np.asarray(evaluate("conv", np, [x, w], bind_attrs("conv", settings, [tensor("f32", *x.shape)]))[0])
        words = f"depthwise {channels} × {side}² / {stride}"
        yield words, ours("conv", [x, w], settings), forward(convolve, x, w)
        yield f"{words}: x", ours("conv_grad_x", [y, w], {"size": (side, side), **settings}), backward(convolve, x.copy(), w)
        yield f"{words}: w", ours("conv_grad_w", [x, y], {"kernel": (kernel, kernel), **settings}), backward(convolve, x, w.copy(), to=1)


def milliseconds(run: Run, budget: float = 0.4) -> float:
    """The best of as many runs as the budget in seconds allows, three at least."""
    run()
    found: list[float] = []
    while len(found) < 3 or (sum(found) < budget and len(found) < 50):
        start = time.perf_counter()
        run()
        found.append(time.perf_counter() - start)
    return min(found) * 1e3


def main(names: Sequence[str]) -> None:
    import torch

    torch.set_num_threads(1)
    chosen = [name for name in names if name != "--write"]
    lines = ["| | dslc (NumPy) | PyTorch | dslc / PyTorch |", "|---|---|---|---|"]
    print(*lines, sep="\n")
    with single_blas():
        for name, mine, theirs in rows(np.random.default_rng(0)):
            if not chosen or any(name.startswith(start) for start in chosen):
                a, b = milliseconds(mine), milliseconds(theirs)
                lines.append(f"| {name} | {a:.1f} | {b:.1f} | {a / b:.1f} |")
                print(lines[-1], flush=True)
    if "--write" in names:
        page.write("windows", "\n".join(lines))


if __name__ == "__main__":
    main(sys.argv[1:])
