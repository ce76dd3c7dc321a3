"""Matrix products straight into planned memory. Transposed operands come as views: BLAS reads them as they are."""

from __future__ import annotations

from functools import partial

import numpy as np

from runtime.kernels.registry import Call, Registry, Signature, Split, Step

SMALL = 1 << 18  # multiplications below which a product stays on one thread


def matmul(call: Call) -> list[Step]:
    return [partial(np.matmul, *call.inputs, call.outputs[0])]


def split(signature: Signature) -> Split | None:
    """The longer side of the result is cut, so that the operand that both threads pack is the smaller one; stacks are cut as stacks."""
    (a, _), (b, _) = signature.inputs
    y = signature.outputs[0][0]
    work = int(np.prod(y, dtype=np.int64)) * a[-1]
    if work < SMALL:
        return None
    last = len(y) - 1
    if last > 1 and y[0] > 1:
        cut = tuple(0 if len(side) == len(y) and side[0] == y[0] else None for side in (a, b))
        return Split(cut, (0,), y[0])
    rows = y[-2] >= y[-1]
    if rows:
        return Split((len(a) - 2, None), (last - 1,), y[-2], grain=8)
    return Split((None, len(b) - 1), (last,), y[-1], grain=8)


def register(registry: Registry) -> None:
    registry.tune("matmul", split=split)(matmul)
