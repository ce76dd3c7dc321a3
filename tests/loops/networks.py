"""Small networks for trials of whole programs: one with norms and attention, one in which many values meet."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from dslc.ir.graph import Graph
from dslc.loading import check_source
from dslc.source import Source
from runtime.onestep import graphs_of

ATTENTION = """dslc 1

network Net {
  input x: [batch, 7, 12]
  q = x -> layer_norm -> dense(12)
  k = x -> rms_norm -> dense(12)
  v = x -> dense(12)
  a = softmax(q @ transpose(k, axes=[0, 2, 1]) / 3.5, axis=-1)
  h = x + (a @ v) -> layer_norm
  output y = h + (h -> dense(24) -> gelu -> dense(12)) -> mean(axis=1) -> batch_norm -> dense(5)
}
"""
JOINS = """dslc 1

network Net {
  input x: [batch, 3, 13, 11]
  a = x -> conv(8, kernel=3, pad=1) -> batch_norm -> relu
  b = a -> conv(8, kernel=1) -> relu
  c = a -> conv(8, kernel=5, pad=2) -> tanh
  d = concat(a, b, c, axis=1) -> max_pool(kernel=3, stride=2)
  e = (d -> conv(8, kernel=3, pad=1)) + (d -> depthwise_conv(kernel=3, pad=1) -> conv(8, kernel=1))
  f = concat(e, e * sigmoid(e), d -> avg_pool(kernel=3, stride=1, pad=1), axis=1) -> group_norm(groups=5)
  output y = (f -> global_avg_pool) + (f -> global_max_pool) -> dense(5)
}
"""
TRAIN = """
train {
  data = npz("data.npz")
  net  = Net(data.x)
  loss: cross_entropy(net.y, data.label)
  optimizer: sgd(0.1)
  batch_size: 4
}
"""
SHAPES = {"attention": (ATTENTION, (7, 12)), "joins": (JOINS, (3, 13, 11))}


@cache
def network_graph(name: str) -> Graph:
    """Forward and backward of its training."""
    return graph_of(*SHAPES[name])


def graph_of(text: str, shape: tuple[int, ...]) -> Graph:
    """The same of the text of a network, whose images have this shape."""
    with TemporaryDirectory() as folder:
        np.savez(Path(folder) / "data.npz", x=np.zeros((4, *shape), np.float32), label=np.zeros(4, np.int64))
        program, found = check_source(Source("net.nn", text + TRAIN), folder=Path(folder))
    assert program is not None, [item.message for item in found]
    return graphs_of(next(iter(program.trainings.values())).steps[0])[1]
