"""What a trace offers computes what NumPy computes, over memory that is filled after the calls are bound; the rest is refused."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from runtime.kernels.numpy.lower import lower
from runtime.kernels.numpy.trace import COMPARISONS, OPERATORS, Namespace, Tape, Traced, Untraceable

Function = Callable[..., Any]
AXES: tuple[dict[str, Any], ...] = tuple(
    {"axis": axis, "keepdims": keep} for axis in (None, 0, 1, -1, (0, 2), (-1, 1)) for keep in (False, True)
)
SHAPE = (2, 3, 1, 4)


def lowered(function: Function, arrays: list[np.ndarray]) -> np.ndarray:
    tape = Tape()
    result = function(tape.xp, *(tape.input(array.shape, array.dtype) for array in arrays))
    found, given = blank(result.shape, result.dtype), [blank(array.shape, array.dtype) for array in arrays]
    calls = lower(tape, [result], given, [found], blank)
    for place, array in zip(given, arrays, strict=True):
        np.copyto(place, array)
    for call in calls:
        call()
    return found


def blank(shape: Any, dtype: Any) -> np.ndarray:
    return np.full(tuple(shape), np.nan if np.dtype(dtype).kind == "f" else 1, dtype)


def agree(function: Function, *arrays: np.ndarray) -> None:
    wanted = np.asarray(function(np, *arrays))
    found = lowered(function, list(arrays))
    assert found.dtype == wanted.dtype and found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-6 if found.dtype == np.float32 else 1e-14)


def floats(dtype: str, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.random.default_rng(3).uniform(0.5, 3, shape).astype(dtype)


NAMESPACE: dict[str, tuple[Function, ...]] = {
    **{
        name: tuple(lambda xp, x, name=name, axes=axes: getattr(xp, name)(x, **axes) for axes in AXES)
        for name in ("sum", "max", "min", "amax", "amin", "prod", "mean")
    },
    **{name: tuple(lambda xp, x, name=name, axes=axes: getattr(xp, name)(x > 2, **axes) for axes in AXES) for name in ("all", "any")},
    "where": (
        lambda xp, x: xp.where(x > 2, x, -x),
        lambda xp, x: xp.where(x > 2, x[:1], 0.0),
        lambda xp, x: xp.where(x[:, :1] > 2, 0.0, x),
        lambda xp, x: xp.where(x > 2, 1.5, -x),
        lambda xp, x: xp.where(x > 2, x > 1, x > 2.5),
    ),
    "reshape": (lambda xp, x: xp.reshape(x, (6, 4)) * 1, lambda xp, x: xp.reshape(x * 1, (4, -1))),
    "transpose": (lambda xp, x: xp.transpose(x), lambda xp, x: xp.transpose(x, (2, 0, 3, 1)) * 1),
    "broadcast_to": (lambda xp, x: xp.broadcast_to(x, (2, 3, 5, 4)),),
    "expand_dims": (lambda xp, x: xp.expand_dims(x, 1), lambda xp, x: xp.expand_dims(x, (0, -1)) * 1),
    "squeeze": (lambda xp, x: xp.squeeze(x), lambda xp, x: xp.squeeze(x, 2) * 1),
    "asarray": (lambda xp, x: xp.asarray(x), lambda xp, x: xp.asarray(x, dtype="int64")),
    "full_like": (lambda xp, x: xp.full_like(x, 3), lambda xp, x: xp.full_like(x, 3, dtype="int64")),
    "zeros_like": (lambda xp, x: xp.zeros_like(x), lambda xp, x: xp.zeros_like(x, dtype=bool)),
    "ones_like": (lambda xp, x: xp.ones_like(x), lambda xp, x: xp.ones_like(x, dtype="int64")),
    "full": (lambda xp, x: xp.full((2, 5), 3, "float32"), lambda xp, x: xp.full(4, 2.5, x.dtype)),
    "zeros": (lambda xp, x: xp.zeros((2, 5), "float32"),),
    "ones": (lambda xp, x: xp.ones((2, 5), x.dtype),),
}
VALUES: dict[str, tuple[Function, ...]] = {
    "T": (lambda xp, x: x.T,),
    "real": (lambda xp, x: x.real,),
    "astype": tuple(lambda xp, x, name=name: x.astype(name) for name in ("float32", "float64", "int64")),
    "reshape": (
        lambda xp, x: x.reshape(6, 4),
        lambda xp, x: x.reshape((4, 6)),
        lambda xp, x: x.reshape([2, -1]),
        lambda xp, x: x.reshape(-1),
    ),
    "transpose": (lambda xp, x: x.transpose(1, 0, 3, 2), lambda xp, x: x.transpose()),
    "sum": tuple(lambda xp, x, axes=axes: x.sum(**axes) for axes in AXES),
    "max": tuple(lambda xp, x, axes=axes: x.max(**axes) for axes in AXES),
    "min": tuple(lambda xp, x, axes=axes: x.min(**axes) for axes in AXES),
    "index": (
        lambda xp, x: x[0],
        lambda xp, x: x[..., 1:3],
        lambda xp, x: x[:, None, ::-1],
        lambda xp, x: x[1, ..., None, 2],
        lambda xp, x: x[:, 1:] * 1,
    ),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMESPACE)
def test_functions(name: str, dtype: str) -> None:
    for function in NAMESPACE[name]:
        agree(function, floats(dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", VALUES)
def test_values(name: str, dtype: str) -> None:
    for function in VALUES[name]:
        agree(function, floats(dtype))


def test_nothing_that_is_offered_is_left_out() -> None:
    assert {name for name in vars(Namespace) if not name.startswith("_")} == NAMESPACE.keys()
    methods = {
        name for name, value in vars(Traced).items() if not name.startswith("_") and (callable(value) or isinstance(value, property))
    }
    assert methods <= VALUES.keys() | {"ndim", "size"}


BITS = ("and", "or", "xor", "lshift", "rshift")


@pytest.mark.parametrize("name", [*OPERATORS, *COMPARISONS])
def test_operators(name: str) -> None:
    """Between values, with numbers on both sides, over shapes that repeat."""
    function = getattr(operator, f"__{name}__")
    dtypes = ("int64", "uint8") if name in BITS else ("float32", "float64", "int64")
    for dtype in dtypes:
        x = np.arange(1, 25).reshape(SHAPE).astype(dtype) % 5
        y = (np.arange(1, 13).reshape(3, 1, 4) % 3 + 1).astype(dtype)
        agree(lambda xp, x, y: function(x, y), x, y)
        agree(lambda xp, x, y: function(x, 2), x, y)
        agree(lambda xp, x, y: function(2, y), x, y)


@pytest.mark.parametrize("name", ["neg", "abs", "invert"])
def test_operators_of_one_value(name: str) -> None:
    function = getattr(operator, f"__{name}__")
    for dtype in ("int64",) if name == "invert" else ("int64", "float32"):
        agree(lambda xp, x: function(x), np.arange(-3, 4).astype(dtype))


def test_numbers_and_types_of_the_namespace() -> None:
    agree(lambda xp, x: xp.maximum(x, xp.pi) + xp.float32(0.5), floats("float32"))
    assert Tape().xp.inf == np.inf


def test_sizes_are_those_of_the_shape() -> None:
    value = Tape().input(SHAPE, "float32")
    assert (value.ndim, value.size, value.shape) == (4, 24, SHAPE)


REFUSED: dict[str, Function] = {
    "a value decides": lambda xp, x: x if x.sum() > 0 else -x,
    "a loop": lambda xp, x: sum(row for row in x),
    "a number": lambda xp, x: float(x.sum()),
    "an index": lambda xp, x: x[x.astype("int64")],
    "a list as index": lambda xp, x: x[[0, 1]],
    "no ufunc": lambda xp, x: xp.sort(x),
    "a setting": lambda xp, x: xp.add(x, x, where=False),
    "another type": lambda xp, x: xp.add(x, x, dtype="float64"),
    "two results": lambda xp, x: xp.modf(x),
    "an array": lambda xp, x: x + np.ones(4),
    "a sum of truth values": lambda xp, x: xp.sum(x > 0),
    "a condition that is a number": lambda xp, x: xp.where(True, x, x),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_written_down_is_refused(what: str) -> None:
    tape = Tape()
    with pytest.raises(Untraceable):
        REFUSED[what](tape.xp, tape.input(SHAPE, "float64"))
