"""Inputs of networks that are drawn, for `dslc sample`."""

from __future__ import annotations

import numpy as np

from dslc.diagnostics import SpecError
from dslc.ir.types import Dim
from dslc.ops.philox import normal, stream_of
from dslc.program import Network
from dslc.usage import BadArgument


def normal_inputs(network: Network, count: int, seed: int) -> dict[str, np.ndarray]:
    """`count` samples of each input without a default, from the standard normal distribution; sample i is the same for every count.

    Raises SpecError for an input that is no [batch, fixed sizes] of floats.
    """
    found = {}
    for port in network.inputs:
        if port.default is not None:
            continue
        shape = port.type.shape
        if not (shape and shape[0] == Dim.of("batch") and all(size.is_constant for size in shape[1:]) and port.type.dtype.is_float):
            detail = f"the input `{port.name}` of `{network.name}` is {port.type}: only floats of shape [batch, fixed sizes] are drawn"
            raise SpecError(BadArgument(detail=detail, usage="dslc sample RUN --from test --out x.png"))
        sizes = (count, *(size.constant for size in shape[1:]))
        stream = stream_of(f"{network.name}.{port.name}/sample")
        found[port.name] = np.asarray(normal(np, np.array([seed, 0, 0], np.int64), stream, sizes, port.type.dtype.numpy))
    return found
