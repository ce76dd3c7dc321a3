"""The kernels of the NumPy device: tuned families first, then what can be generated."""

from __future__ import annotations

from runtime.kernels.numpy import (
    arrange,
    augment,
    circular,
    conv,
    depth,
    depthwise,
    indexing,
    linalg,
    loss,
    lp_pool,
    lrn,
    movement,
    norm,
    pad,
    pool,
    random,
    reduce,
    resize,
    unfold,
    unpool,
    volume,
)
from runtime.kernels.numpy.generated import GENERATED
from runtime.kernels.registry import Registry


def registry() -> Registry:
    found = Registry()
    for family in (
        depthwise,
        conv,
        pool,
        reduce,
        norm,
        pad,
        loss,
        linalg,
        movement,
        random,
        lrn,
        volume,
        resize,
        circular,
        augment,
        arrange,
        unfold,
        lp_pool,
        indexing,
        unpool,
        depth,
    ):
        family.register(found)
    found.generated.append(GENERATED)
    return found
