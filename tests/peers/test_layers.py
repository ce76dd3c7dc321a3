"""Layers of the standard library against PyTorch's: values, and gradients to the input and every weight, in double precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dslc.interpret import interpret
from dslc.ir.graph import Graph
from dslc.ir.types import DType
from dslc.loading import check_source
from dslc.passes.differentiate import differentiate
from dslc.program import Network
from dslc.source import Source
from tests.peers.values import weights

torch = pytest.importorskip("torch", reason="the comparison with PyTorch needs torch==2.13.0")
tf = torch.nn.functional
Tensor = Any
Theirs = Callable[..., Tensor]


def conv(v: Tensor, groups: int) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda x, b: tf.conv2d(x, v, b, padding=1, groups=groups)


def weight_norm(v: Tensor, g: Tensor, axis: int) -> Tensor:
    """PyTorch's own: `axis` is the one that keeps its lengths."""
    shape = [-1 if at == axis else 1 for at in range(v.dim())]
    return torch._weight_norm(v, g.reshape(shape), axis)


def distances(x: Tensor, w: Tensor) -> Tensor:
    return torch.cdist(x, w).square()


# layer -> shape of x, call, PyTorch's function of x and the weights by their last names
LAYERS: dict[str, tuple[tuple[int, ...], str, Theirs]] = {
    "layer_norm": ((2, 3, 5), "layer_norm(eps=0.01)", lambda x, gamma, beta: tf.layer_norm(x, (5,), gamma, beta, 0.01)),
    "instance_norm": ((2, 3, 4, 5), "instance_norm", lambda x, gamma, beta: tf.instance_norm(x, weight=gamma, bias=beta)),
    "instance_norm_3d": ((2, 3, 2, 1, 3), "instance_norm", lambda x, gamma, beta: tf.instance_norm(x, weight=gamma, bias=beta)),
    "group_norm": ((2, 6, 3, 2), "group_norm(3)", lambda x, gamma, beta: tf.group_norm(x, 3, gamma, beta)),
    "group_norm_all": ((3, 4, 5), "group_norm(1, eps=0.1)", lambda x, gamma, beta: tf.group_norm(x, 1, gamma, beta, 0.1)),
    "rms_norm": ((2, 3, 5), "rms_norm(eps=1e-6)", lambda x, gamma: tf.rms_norm(x, (5,), gamma, 1e-6)),
    "l2_normalize": ((2, 3, 5), "l2_normalize", lambda x: tf.normalize(x, dim=-1)),
    "l2_normalize_axis": ((2, 3, 5), "l2_normalize(axis=1)", lambda x: tf.normalize(x, dim=1)),
    "cosine_similarity": ((2, 3, 5), "cosine_similarity(x[:, 1:2])", lambda x: tf.cosine_similarity(x, x[:, 1:2], dim=-1)),
    "cosine_similarity_axis": ((2, 3, 5), "cosine_similarity(exp(x), axis=1)", lambda x: tf.cosine_similarity(x, x.exp(), dim=1)),
    "weight_norm_dense": ((2, 3, 5), "weight_norm_dense(4)", lambda x, v, g, b: x @ weight_norm(v, g, 1) + b),
    "weight_norm_conv": (
        (2, 4, 5, 3),
        "weight_norm_conv(6, kernel=3, pad=1, groups=2)",
        lambda x, v, g, b: conv(weight_norm(v, g, 0), 2)(x, b),
    ),
    "rbf": ((4, 5), "rbf(3)", distances),
    "maxout": ((2, 3, 5), "maxout(4, pieces=3)", lambda x, w, b: (x @ w + b).reshape(2, 3, 4, 3).amax(-1)),
    "prelu": ((2, 3, 4, 5), "prelu", lambda x, slope: tf.prelu(x, slope)),
    "prelu_shared": ((2, 6), "prelu(shared=true)", lambda x, slope: tf.prelu(x, slope)),
    "glu": ((2, 3, 6), "glu", lambda x: tf.glu(x, -1)),
    "glu_channels": ((2, 4, 3), "glu(axis=1)", lambda x: tf.glu(x, 1)),
    "gram": ((2, 3, 4, 5), "gram", lambda x: x.flatten(2) @ x.flatten(2).mT / 60),
    "outer": ((2, 3, 4), "outer(exp(x[:, :, 0:2]))", lambda x: torch.einsum("...i,...j->...ij", x, x[..., :2].exp())),
    "diagonal": ((2, 3, 3), "diagonal", lambda x: x.diagonal(dim1=-2, dim2=-1)),
    "trace": ((2, 2, 3, 3), "trace", lambda x: x.diagonal(dim1=-2, dim2=-1).sum(-1)),
    "diag": ((2, 3, 4), "diag", torch.diag_embed),
    "channel_shuffle": ((2, 6, 3, 2), "channel_shuffle(3)", lambda x: tf.channel_shuffle(x, 3)),
    "channel_shuffle_1d": ((2, 6, 3), "channel_shuffle(2)", lambda x: x.reshape(2, 2, 3, 3).transpose(1, 2).reshape(2, 6, 3)),
}


def network(shape: tuple[int, ...], call: str) -> Network:
    """y of the layer, and the loss Σ y³/3 + y."""
    sizes = ", ".join(("batch", *map(str, shape[1:])))
    body = f"  input x: [{sizes}]\n  output y = x -> {call}\n  output loss = sum(y^3 / 3 + y)\n"
    program, found = check_source(Source("n.nn", f"dslc 1\nnetwork N {{\n{body}}}\n"), precision=DType.f64)
    assert program is not None, [d.message for d in found]
    return program.networks["N"]


def arrays(net: Network, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    values = {name: value + (1.0 if name.endswith(".g") else 0.0) for name, value in weights((*net.weights, *net.states)).items()}
    return {"x": np.random.default_rng(3).uniform(-2, 2, shape), **values}


def of_training(graph: Graph, given: dict[str, np.ndarray], sample: int = 0) -> dict[str, np.ndarray]:
    return interpret(graph, np, {**given, "key": np.array([1, 2, sample], np.int64)})


@pytest.mark.parametrize("name", LAYERS)
def test_values_and_gradients(name: str) -> None:
    shape, call, theirs = LAYERS[name]
    net = network(shape, call)
    given = arrays(net, shape)
    ours = interpret(differentiate(net.evaluate, "loss", tuple(given)), np, given)
    leaves = {key: torch.from_numpy(value).requires_grad_() for key, value in given.items()}
    y = theirs(leaves["x"], **{key.rpartition(".")[2]: leaf for key, leaf in leaves.items() if key != "x"})
    gradients = torch.autograd.grad((y**3 / 3 + y).sum(), list(leaves.values()))
    np.testing.assert_allclose(ours["y"], y.detach().numpy(), rtol=1e-10, atol=1e-11)
    for key, gradient in zip(leaves, gradients, strict=True):
        np.testing.assert_allclose(ours[f"grad:{key}"], gradient.numpy(), rtol=1e-9, atol=1e-9)


# ---- losses ------------------------------------------------------------------------------------------------------------------------

SAME = "cast(op.arange(4) % 2, f32)"
# loss of three rows each: in the language, by PyTorch
LOSSES: dict[str, tuple[str, Callable[[Tensor, Tensor, Tensor], Tensor]]] = {
    "kl_divergence": (
        "kl_divergence(log_softmax(a), softmax(b))",
        lambda a, b, c: tf.kl_div(torch.log_softmax(a, -1), torch.softmax(b, -1), reduction="batchmean"),
    ),
    "contrastive": (
        f"contrastive(a, b, {SAME}, margin=3)",
        lambda a, b, c: torch.stack([distance(a, b)[1::2].square(), tf.relu(3 - distance(a, b)[::2]).square()]).mean() / 2,
    ),
    "triplet": ("triplet(a, b, c, margin=0.5)", lambda a, b, c: tf.triplet_margin_loss(a, b, c, 0.5, eps=0)),
    "triplet_squared": (
        "triplet(a, b, c, squared=true)",
        lambda a, b, c: tf.relu(1 + distance(a, b).square() - distance(a, c).square()).mean(),
    ),
    "cosine_loss": (
        f"cosine_loss(a, b, {SAME}, margin=-0.5)",
        lambda a, b, c: tf.cosine_embedding_loss(a, b, torch.tensor([-1.0, 1.0, -1.0, 1.0]), margin=-0.5),
    ),
    "soft_cross_entropy": ("soft_cross_entropy(a, softmax(b))", lambda a, b, c: tf.cross_entropy(a, torch.softmax(b, -1))),
    "soft_cross_entropy_of_a_teacher": (
        "soft_cross_entropy(a, softmax(b / 3), temperature=3)",
        lambda a, b, c: 9 * tf.cross_entropy(a / 3, torch.softmax(b / 3, -1)),
    ),
    "multi_margin": ("multi_margin(a, op.arange(4) % 3)", lambda a, b, c: tf.multi_margin_loss(a, torch.arange(4) % 3)),
    "multi_margin_squared": (
        "multi_margin(a, op.arange(4), margin=0.7, squared=true)",
        lambda a, b, c: tf.multi_margin_loss(a, torch.arange(4), p=2, margin=0.7),
    ),
    "categorical_hinge": (
        "categorical_hinge(a, op.arange(4), margin=1.5)",
        lambda a, b, c: tf.relu(1.5 - a.diagonal() + (a - 9 * torch.eye(4, 5, dtype=a.dtype)).amax(-1)).mean(),
    ),
    "gaussian_nll": ("gaussian_nll(a, b, exp(c))", lambda a, b, c: tf.gaussian_nll_loss(a, b, c.exp())),
    "gaussian_nll_full": (
        "gaussian_nll(a, b, relu(c), full=true, eps=0.2)",
        lambda a, b, c: tf.gaussian_nll_loss(a, b, tf.relu(c), full=True, eps=0.2),
    ),
    "pinball": ("pinball(a, b, 0.9)", lambda a, b, c: torch.where(b > a, 0.9 * (b - a), 0.1 * (a - b)).mean()),
}


def overlap(p: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """True positives, false positives and false negatives of each sample and channel, softly."""
    return (p * t).sum(-1), (p * (1 - t)).sum(-1), ((1 - p) * t).sum(-1)


def dice(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    hit, wrong, missed = overlap(torch.sigmoid(a)[:, None], torch.sigmoid(b)[:, None])
    return (1 - (2 * hit + 0.5) / (2 * hit + wrong + missed + 0.5)).mean()


def tversky(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    hit, wrong, missed = overlap(torch.sigmoid(a)[:, None], torch.sigmoid(b)[:, None])
    return (1 - (hit + 1) / (hit + 0.3 * wrong + 0.7 * missed + 1)).mean()


LOSSES["dice"] = ("dice(sigmoid(a)[:, _], sigmoid(b)[:, _], smooth=0.5)", dice)
LOSSES["tversky"] = ("tversky(sigmoid(a)[:, _], sigmoid(b)[:, _], alpha=0.3, beta=0.7)", tversky)


def distance(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).square().sum(-1).sqrt()


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name: str) -> None:
    text, theirs = LOSSES[name]
    body = "".join(f"  input {key}: [4, 5]\n" for key in "abc") + f"  output loss = {text} + 0 * sum(a + b + c)\n"
    program, found = check_source(Source("n.nn", f"dslc 1\nnetwork N {{\n{body}}}\n"), precision=DType.f64)
    assert program is not None, [d.message for d in found]
    rng = np.random.default_rng(4)
    given = {key: rng.uniform(-1, 1, (4, 5)) for key in "abc"}
    ours = interpret(differentiate(program.networks["N"].evaluate, "loss", tuple(given)), np, given)
    leaves = {key: torch.from_numpy(value).requires_grad_() for key, value in given.items()}
    loss = theirs(**leaves)
    gradients = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
    assert float(loss.detach()) > 0.01
    np.testing.assert_allclose(ours["loss"], loss.detach().numpy(), rtol=1e-12)
    for key, gradient in zip(leaves, gradients, strict=True):
        wanted = np.zeros((4, 5)) if gradient is None else gradient.numpy()
        np.testing.assert_allclose(ours[f"grad:{key}"], wanted, rtol=1e-10, atol=1e-12)


# ---- spectral norm ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shape", "call"), [((3, 5), "spectral_norm_dense(4)"), ((2, 3, 6), "spectral_norm_conv(4, kernel=3)")])
def test_spectral_norm_finds_the_largest_singular_value(shape: tuple[int, ...], call: str) -> None:
    """After many steps of training: y is that of w over the largest singular value, the gradient that of w / σ(w)."""
    net = network(shape, call)
    given = arrays(net, shape)
    (state,) = (item.address for item in net.states)
    (update,) = net.train.updates
    assert update.name == state
    graph = net.train.model_copy(update={"outputs": (*net.train.outputs, update)})
    for _ in range(300):
        given[state] = interpret(graph, np, given)[state]
    wrt = tuple(name for name in given if name.endswith((".w", "x")))
    ours = interpret(differentiate(net.evaluate, "loss", wrt), np, given)
    leaves = {key: torch.from_numpy(value).requires_grad_() for key, value in given.items() if key != state}
    x, w, b = (next(leaf for key, leaf in leaves.items() if key.endswith(end)) for end in ("x", ".w", ".b"))
    sigma = torch.linalg.svdvals(w.reshape(w.shape[0], -1))[0]
    y = x @ (w / sigma) + b if x.dim() == 2 else tf.conv1d(x, w / sigma, b)
    np.testing.assert_allclose(ours["y"], y.detach().numpy(), rtol=1e-9)
    gradients = torch.autograd.grad((y**3 / 3 + y).sum(), [leaves[name] for name in wrt])
    for key, gradient in zip(wrt, gradients, strict=True):
        np.testing.assert_allclose(ours[f"grad:{key}"], gradient.numpy(), rtol=1e-7, atol=1e-8)


def test_evaluation_leaves_the_state_of_the_spectral_norm() -> None:
    assert not network((3, 5), "spectral_norm_dense(4)").evaluate.updates


# ---- in training only ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["spatial_dropout(0.3)", "alpha_dropout(0.3)", "gaussian_noise(0.5)"])
def test_evaluation_changes_nothing(call: str) -> None:
    net = network((2, 3, 4), call)
    given = arrays(net, (2, 3, 4))
    np.testing.assert_array_equal(interpret(net.evaluate, np, given)["y"], given["x"])


def test_spatial_dropout_drops_whole_channels() -> None:
    net = network((50, 8, 3, 2), "spatial_dropout(0.25)")
    given = {"x": np.ones((50, 8, 3, 2))}
    y = of_training(net.train, given)["y"]
    assert set(np.unique(y)) == {0, 1 / 0.75}
    np.testing.assert_array_equal(y, np.broadcast_to(y[:, :, :1, :1], y.shape))
    assert abs(np.mean(y == 0) - 0.25) < 0.06


def test_alpha_dropout_keeps_mean_and_variance() -> None:
    """Of selu's fixed point: mean 0, variance 1. What is dropped is the lowest value of selu, moved as all others are."""
    net = network((400, 500), "alpha_dropout(0.2)")
    x = np.random.default_rng(1).normal(size=(400, 500))
    y = of_training(net.train, {"x": x})["y"]
    assert abs(y.mean()) < 0.01
    assert abs(y.var() - 1) < 0.02
    low = float(tf.selu(torch.tensor(-100.0, dtype=torch.float64)))
    scale = ((1 - 0.2) * (1 + 0.2 * low**2)) ** -0.5
    dropped = np.isclose(y, scale * low * (1 - 0.2))
    assert abs(dropped.mean() - 0.2) < 0.01
    np.testing.assert_allclose(y[~dropped], scale * (x[~dropped] - 0.2 * low))


def test_gaussian_noise_has_the_deviation() -> None:
    net = network((400, 500), "gaussian_noise(0.5)")
    added = of_training(net.train, {"x": np.ones((400, 500))})["y"] - 1
    assert abs(added.mean()) < 0.01
    assert abs(added.std() - 0.5) < 0.01
