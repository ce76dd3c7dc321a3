"""Moments of channels: those of every sample in one pass over memory, then those of the batch, which are made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dslc.ir.graph import Node
from runtime.loops.lower import Lowering, family
from runtime.loops.nest import Array
from runtime.loops.tracer import Tracer, all_of


@family("channel_moments")
def channel_moments(lowering: Lowering, node: Node, attrs: Mapping[str, Any]) -> None:
    """mean = mean of the samples' means, variance = mean of (a sample's variance + (its mean - mean)²); no sum cancels."""
    (x,) = node.inputs
    shape, dtype = lowering.shape(x), lowering.dtype(x)
    if len(shape) < 3:
        lowering.traced(node, attrs)
        return
    names = [f"%{node.outputs[0]}.{of}" for of in ("means", "variances")]
    tracer = Tracer()
    value, spatial = lowering.tensor(x, tracer), tuple(range(2, len(shape)))
    mean = tracer.xp.mean(value, axis=spatial, keepdims=True)
    centred = value - mean
    moments = (mean[(..., *(0 for _ in spatial))], tracer.xp.mean(centred * centred, axis=spatial))
    index = all_of(tracer, shape[:2])
    for name, moment in zip(names, moments, strict=True):
        lowering.arrays[name] = Array(shape[:2], dtype)
        tracer.writer.store(name, index, moment.read(index))
    lowering.steps.append(tracer.nest(f"moments of the samples of %{x}"))

    tracer = Tracer()
    means, variances = (tracer.array(name, shape[:2], dtype) for name in names)
    mean = tracer.xp.mean(means, axis=0)
    apart = means - mean
    index = all_of(tracer, shape[1:2])
    for id, result in zip(node.outputs, (mean, tracer.xp.mean(variances + apart * apart, axis=0)), strict=True):
        lowering.store(tracer, id, index, result.read(index))
    lowering.finish(tracer, node)
