"""Initial values: moments, bounds and exact properties, independence of everything but seed and address."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from dslc.diagnostics import SpecError
from dslc.ir.types import tensor
from dslc.ops.infer import literal
from dslc.program import Init, Weight
from dslc.vocabulary import INITIALISERS
from runtime.train.initializers import INITIALIZERS, fans, initialize

Array = np.ndarray[Any, Any]
STRUCTURED = {name: INITIALISERS[name].rank for name in INITIALIZERS}
RANDOM = sorted(set(INITIALIZERS) - {"zeros", "ones", "constant", "bilinear", "identity"})


def make(name: str, *shape: int, address: str = "Net.w", dtype: str = "f64", seed: int = 0, **given: Any) -> Array:
    """The initialiser with its defaults filled in, as a spec has it."""
    parms = INITIALISERS[name].signature.parms
    args = {parm.name.id: literal(parm.default) for parm in parms if parm.default is not None}
    args |= {"value": 0.25} if name == "constant" else {}
    assert given.keys() <= {parm.name.id for parm in parms}
    item = Weight(address=address, type=tensor(dtype, *shape), init=Init(name=name, args={**args, **given}))
    found: Array = initialize(item, seed)
    return found


def test_every_word_has_its_function() -> None:
    assert set(INITIALIZERS) == set(INITIALISERS)


@pytest.mark.parametrize("name", sorted(INITIALIZERS))
def test_shape_dtype_and_the_same_values_again(name: str) -> None:
    shape = (3, 5, 4)[: max(2, STRUCTURED[name])]
    for dtype, numpy in (("f32", np.float32), ("f64", np.float64)):
        value = make(name, *shape, dtype=dtype)
        assert value.shape == shape and value.dtype == numpy
        np.testing.assert_array_equal(value, make(name, *shape, dtype=dtype))
    np.testing.assert_allclose(make(name, *shape, dtype="f32"), make(name, *shape), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", RANDOM)
def test_seed_and_address_matter(name: str) -> None:
    value = make(name, 4, 4)
    assert not np.array_equal(value, make(name, 4, 4, seed=1))
    assert not np.array_equal(value, make(name, 4, 4, address="Net.v"))


def test_fans() -> None:
    assert fans((784, 512)) == (784, 512)
    assert fans((50, 20, 5, 5)) == (500, 1250)
    assert fans((7,)) == (7, 7)


def test_constants_and_bounds() -> None:
    normal, uniform = make("normal", 200, 200, mean=2.0, std=0.5), make("uniform", 200, 200, low=-0.5, high=1.5)
    assert normal.mean() == pytest.approx(2, abs=0.01) and normal.std() == pytest.approx(0.5, rel=0.02)
    assert uniform.min() >= -0.5 and uniform.max() < 1.5 and uniform.mean() == pytest.approx(0.5, abs=0.01)
    assert (make("constant", 3) == 0.25).all() and (make("ones", 3) == 1).all() and (make("zeros", 3) == 0).all()


# ---- scaled by the fans ------------------------------------------------------------------------------------------------------------

SHAPES = ((300, 200), (64, 16, 3, 3), (60_000,))
FAN = {(300, 200): (300, 200), (64, 16, 3, 3): (144, 576), (60_000,): (60_000, 60_000)}
SCALED: list[tuple[str, dict[str, Any], float]] = [  # name, settings, variance · fan
    ("xavier", {}, 1.0),
    ("xavier", {"gain": 5 / 3}, 25 / 9),
    ("he", {}, 2.0),
    ("he", {"slope": 0.5}, 1.6),
    ("lecun", {}, 1.0),
]


@pytest.mark.parametrize(("shape", "fan", "uniform"), list(product(SHAPES, ("in", "out", "average"), (False, True))))
@pytest.mark.parametrize(("name", "given", "variance"), SCALED)
def test_variance_by_the_fan(name: str, given: dict[str, Any], variance: float, shape: Any, fan: str, uniform: bool) -> None:
    value = make(name, *shape, fan=fan, uniform=uniform, **given)
    inward, outward = FAN[shape]
    std = np.sqrt(variance / {"in": inward, "out": outward, "average": (inward + outward) / 2}[fan])
    slack = 5 / np.sqrt(value.size)  # five standard errors of a mean, at most
    assert value.std() == pytest.approx(std, rel=slack) and abs(value.mean()) < slack * std
    if uniform:
        limit = np.sqrt(3) * std
        assert 0.999 * limit < np.abs(value).max() <= limit
    else:
        assert 3.2 * std < np.abs(value).max() < 6 * std
        assert (value**4).mean() / std**4 == pytest.approx(3, rel=0.15)


def test_defaults_are_those_of_the_papers() -> None:
    assert np.abs(make("xavier", 300, 200)).max() == pytest.approx(np.sqrt(6 / 500), rel=1e-3)
    np.testing.assert_array_equal(make("he", 30, 20), make("he", 30, 20, fan="in", uniform=False))
    np.testing.assert_array_equal(make("xavier", 30, 20), make("xavier", 30, 20, fan="average", uniform=True))


@pytest.mark.parametrize("limit", [0.5, 1.0, 2.0])
def test_truncated_normal(limit: float) -> None:
    value = (make("truncated_normal", 300, 300, mean=1.0, std=0.5, limit=limit) - 1.0) / 0.5
    mass, density = {0.5: 0.382925, 1.0: 0.682689, 2.0: 0.954500}[limit], np.exp(-(limit**2) / 2) / np.sqrt(2 * np.pi)
    assert 0.999 * limit < np.abs(value).max() <= limit and abs(value.mean()) < 0.015
    assert value.var() == pytest.approx(1 - 2 * limit * density / mass, rel=0.02)


def test_truncation_leaves_the_other_draws() -> None:
    normal, cut = make("normal", 500, mean=0.0, std=1.0), make("truncated_normal", 500, mean=0.0, std=1.0)
    inside = np.abs(normal) <= 2
    assert 400 < inside.sum() < 500
    np.testing.assert_array_equal(normal[inside], cut[inside])


def test_neighbours_are_not_correlated() -> None:
    value = make("normal", 100_000)
    assert abs(np.corrcoef(value[:-1], value[1:])[0, 1]) < 0.01


# ---- structured --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(40, 40), (60, 20), (20, 60), (32, 8, 3, 3), (128, 4, 3, 3), (1, 5)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    matrix = make("orthogonal", *shape, gain=2.0).reshape(shape[0], -1)
    square = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(square, 4 * np.eye(len(square)), atol=1e-13)
    if len(square) > 1:
        assert np.abs(matrix).max() < 2 and np.unique(matrix).size == matrix.size


def test_orthogonal_is_evenly_distributed() -> None:
    """The trace of a random rotation has mean 0 and variance 1; a QR with the signs of LAPACK has a mean far below."""
    traces = [np.trace(make("orthogonal", 5, 5, seed=seed)) for seed in range(400)]
    assert abs(np.mean(traces)) < 0.2 and np.var(traces) == pytest.approx(1, abs=0.25)


def test_bilinear_kernels() -> None:
    row = np.array([0.25, 0.75, 0.75, 0.25])
    value = make("bilinear", 3, 3, 4, 4)
    for a, b in product(range(3), range(3)):
        np.testing.assert_array_equal(value[a, b], np.outer(row, row) if a == b else 0)
    np.testing.assert_allclose(make("bilinear", 2, 1, 3)[1, 0], [0.5, 1, 0.5], rtol=1e-15)


def test_bilinear_interpolates() -> None:
    """Upsampling by 2 of a line gives the line; pad 1, kernel 4, one group a channel."""
    from dslc.interpret import interpret
    from dslc.ops.value import Builder, F

    b = Builder("up")
    x, w = b.input("input", "x", tensor("f64", 1, 2, 9, 9)), b.input("weight", "w", tensor("f64", 2, 1, 4, 4))
    b.output("y", F.conv_transpose(x, w, stride=2, pad=1, groups=2))
    plane = np.add.outer(np.arange(9.0), 3 * np.arange(9.0))
    found = interpret(b.build(), np, {"x": np.stack([plane, -plane])[None], "w": make("bilinear", 2, 1, 4, 4)})["y"]
    fine = np.add.outer(np.arange(18) / 2 - 0.25, 3 * (np.arange(18) / 2 - 0.25))
    np.testing.assert_allclose(found[0, 0, 2:-2, 2:-2], fine[2:-2, 2:-2], rtol=1e-13)
    np.testing.assert_allclose(found[0, 1, 2:-2, 2:-2], -fine[2:-2, 2:-2], rtol=1e-13)


def test_sparse_counts() -> None:
    matrix, kernel = make("sparse", 100, 40, nonzero=7, std=2.0), make("sparse", 30, 8, 3, 3, nonzero=5)
    assert ((matrix != 0).sum(axis=0) == 7).all()
    assert ((kernel.reshape(30, -1) != 0).sum(axis=1) == 5).all()
    assert matrix[matrix != 0].std() == pytest.approx(2, rel=0.15)
    assert (matrix != 0).sum(axis=1).max() < 12  # not always the same inputs
    assert (make("sparse", 4, 3) != 0).all()  # fewer inputs than 15


def test_identity_passes_its_input_on() -> None:
    np.testing.assert_array_equal(make("identity", 3, 4, gain=0.5), 0.5 * np.eye(3, 4))
    kernel, depthwise = make("identity", 4, 4, 3, 3), make("identity", 4, 1, 3, 3)
    np.testing.assert_array_equal(kernel[:, :, 1, 1], np.eye(4))
    assert kernel.sum() == 4 and (depthwise[:, 0, 1, 1] == 1).all() and depthwise.sum() == 4


def test_too_few_axes() -> None:
    for name, rank in STRUCTURED.items():
        if rank:
            with pytest.raises(SpecError, match=name):
                make(name, *(4,) * (rank - 1))
