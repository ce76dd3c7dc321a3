"""Global and adaptive pools, shuffles of pixels and other layers over windows against PyTorch's: values and gradients."""

from __future__ import annotations

import numpy as np
import pytest

from dslc.interpret import interpret
from dslc.passes.differentiate import differentiate
from tests.peers.test_layers import Theirs, network

torch = pytest.importorskip("torch", reason="the comparison with PyTorch needs torch==2.13.0")
tf = torch.nn.functional


def depth_first(x: torch.Tensor) -> torch.Tensor:
    """space_to_depth by the shuffle: the channels are in the other order."""
    n, c = x.shape[:2]
    y = tf.pixel_unshuffle(x, 2)
    return y.reshape(n, c, 4, *y.shape[2:]).transpose(1, 2).reshape(y.shape)


# layer -> shape of x, call, PyTorch's function
LAYERS: dict[str, tuple[tuple[int, ...], str, Theirs]] = {
    "global_avg_pool_1d": ((2, 3, 5), "global_avg_pool", lambda x: x.mean(2)),
    "global_avg_pool": ((2, 3, 4, 5), "global_avg_pool", lambda x: x.mean((2, 3))),
    "global_avg_pool_3d": ((2, 3, 4, 1, 2), "global_avg_pool", lambda x: x.mean((2, 3, 4))),
    "global_max_pool_1d": ((2, 3, 5), "global_max_pool", lambda x: x.amax(2)),
    "global_max_pool_3d": ((2, 3, 4, 1, 2), "global_max_pool", lambda x: x.amax((2, 3, 4))),
    "global_lp_pool": ((2, 3, 4, 5), "global_lp_pool", lambda x: torch.linalg.vector_norm(x, 2, (2, 3))),
    "global_lp_pool_1d": ((2, 3, 5), "global_lp_pool(p=3)", lambda x: torch.linalg.vector_norm(x, 3, 2)),
    "lp_pool": ((2, 3, 7, 5), "lp_pool([3, 2], p=4, stride=2)", lambda x: tf.lp_pool2d(x, 4, (3, 2), 2)),
    "reflect": ((2, 3, 4, 5), 'pad_spatial([1, 2], after=[3, 0], mode="reflect")', lambda x: tf.pad(x, (2, 0, 1, 3), mode="reflect")),
    "unfold_sum": ((2, 3, 4, 5), "unfold([2, 3]) -> sum(axis=1)", lambda x: tf.unfold(x, (2, 3)).sum(1)),
    "pixel_shuffle": ((2, 18, 3, 2), "pixel_shuffle(3)", lambda x: tf.pixel_shuffle(x, 3)),
    "pixel_unshuffle": ((2, 2, 6, 3), "pixel_unshuffle(3)", lambda x: tf.pixel_unshuffle(x, 3)),
    "space_to_depth": ((2, 3, 4, 6), "space_to_depth(2)", depth_first),
    "depth_to_space": ((2, 3, 4, 6), "space_to_depth(2) -> depth_to_space(2)", lambda x: x * 1.0),
    "adaptive_avg_pool_1d": ((2, 3, 7), "adaptive_avg_pool(3)", lambda x: tf.adaptive_avg_pool1d(x, 3)),
    "adaptive_avg_pool": ((2, 2, 7, 6), "adaptive_avg_pool([5, 3])", lambda x: tf.adaptive_avg_pool2d(x, (5, 3))),
    "adaptive_avg_pool_of_one": ((2, 2, 7, 5), "adaptive_avg_pool([1, 2])", lambda x: tf.adaptive_avg_pool2d(x, (1, 2))),
    "adaptive_avg_pool_grows": ((1, 2, 2, 3), "adaptive_avg_pool([3, 5])", lambda x: tf.adaptive_avg_pool2d(x, (3, 5))),
    "adaptive_avg_pool_3d": ((1, 2, 4, 3, 5), "adaptive_avg_pool(2)", lambda x: tf.adaptive_avg_pool3d(x, 2)),
    "adaptive_max_pool_1d": ((2, 3, 7), "adaptive_max_pool(3)", lambda x: tf.adaptive_max_pool1d(x, 3)),
    "adaptive_max_pool": ((2, 2, 7, 6), "adaptive_max_pool([5, 3])", lambda x: tf.adaptive_max_pool2d(x, (5, 3))),
    "adaptive_max_pool_of_one": ((2, 2, 7, 5), "adaptive_max_pool([1, 2])", lambda x: tf.adaptive_max_pool2d(x, (1, 2))),
    "adaptive_max_pool_3d": ((1, 2, 4, 3, 5), "adaptive_max_pool(2)", lambda x: tf.adaptive_max_pool3d(x, 2)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_values_and_gradients(name: str) -> None:
    shape, call, theirs = LAYERS[name]
    graph = network(shape, call).evaluate
    x = np.random.default_rng(3).uniform(-2, 2, shape)
    ours = interpret(differentiate(graph, "loss", ("x",)), np, {"x": x})
    leaf = torch.from_numpy(x).requires_grad_()
    y = theirs(leaf)
    (gradient,) = torch.autograd.grad((y**3 / 3 + y).sum(), [leaf])
    np.testing.assert_allclose(ours["y"], y.detach().numpy(), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(ours["grad:x"], gradient.numpy(), rtol=1e-11, atol=1e-11)
