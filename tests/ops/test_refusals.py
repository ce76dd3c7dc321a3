"""What a row refuses is a `Mismatch` that names the argument: never another exception, never a wrong type."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dslc.interpret import interpret
from dslc.ir.types import DType, TensorType, tensor
from dslc.ops.infer import bind_attrs, evaluate
from dslc.ops.table import Mismatch, infer
from dslc.ops.value import Builder, F
from dslc.passes.differentiate import differentiate


def f(*shape: int | str) -> TensorType:
    return tensor("f32", *shape)


KEY = tensor("i64", 3)
DRAW = {"shape": (2,), "dtype": DType.f32, "stream": 0}
CONV = {"stride": (1, 1), "pad": ((0, 0), (0, 0)), "dilation": (1, 1), "groups": 1, "output_pad": (0, 0)}
# operator, inputs, attributes, argument at fault
REFUSED: tuple[tuple[str, tuple[TensorType, ...], dict[str, Any], str], ...] = (
    ("reshape", (f(2, 3),), {"shape": (4, 2)}, "shape"),
    ("reshape", (f(2, 3),), {"shape": (-1, 6)}, "shape"),
    ("reshape", (f("batch", 3),), {"shape": (3, 3)}, "shape"),
    ("flatten", (f(),), {}, "x"),
    ("transpose", (f(3),), {"axes": None}, "x"),
    ("transpose", (f(2, 3),), {"axes": (0, 0)}, "axes"),
    ("transpose", (f(2, 3),), {"axes": (0, 5)}, "axis"),
    ("broadcast", (f(3),), {"shape": (2, 2)}, "shape"),
    ("broadcast", (f(3, 1),), {"shape": (3,)}, "shape"),
    ("broadcast", (f("batch"),), {"shape": (4,)}, "shape"),
    ("slice", (f(3, 2),), {"starts": (1, 0), "stops": (2,)}, "starts"),
    ("slice", (f(3),), {"starts": (2,), "stops": (2,)}, "stops"),
    ("slice", (f(3),), {"starts": (0,), "stops": (4,)}, "stops"),
    ("slice", (f(3),), {"starts": (-1,), "stops": (2,)}, "stops"),
    ("pad", (f(3, 2),), {"before": (1, 0), "after": (1,), "value": 0, "mode": "constant"}, "before"),
    ("pad", (f(3),), {"before": (-1,), "after": (0,), "value": 0, "mode": "constant"}, "before"),
    ("concat", (f(2), f(2, 2)), {"axis": 0}, "xs"),
    ("concat", (f(2, 3), f(3, 2)), {"axis": 0}, "xs"),
    ("concat", (f(2), tensor("f64", 2)), {"axis": 0}, "xs"),
    ("concat", (f(), f()), {"axis": 0}, "axis"),
    ("stack", (f(2), f(3)), {"axis": 0}, "xs"),
    ("stack", (f(2), f(2)), {"axis": 2}, "axis"),
    ("split", (f(4),), {"parts": 0, "axis": 0}, "parts"),
    ("split", (f(4),), {"parts": 3, "axis": 0}, "parts"),
    ("split", (f("batch"),), {"parts": 2, "axis": 0}, "parts"),
    ("gather", (f(4), tensor("i64", 2)), {"axis": 2}, "axis"),
    ("gather", (f(4), f(2)), {"axis": 0}, "index"),
    ("constant", (), {"value": (1.0, (2.0,)), "dtype": DType.f32}, "value"),
    ("constant", (), {"value": (((1.0,),),), "dtype": DType.f32}, "value"),
    ("constant", (), {"value": ("a",), "dtype": DType.f32}, "value"),
    ("constant", (), {"value": 1.5, "dtype": DType.i64}, "value"),
    ("constant", (), {"value": (300,), "dtype": DType.u8}, "value"),
    ("constant", (), {"value": -1, "dtype": DType.u64}, "value"),
    ("matmul", (f(3), f(3, 2)), {}, "a"),
    ("matmul", (f(2, 3), f(2, 3)), {}, "b"),
    ("matmul", (f(2, 2, 3), f(3, 3, 2)), {}, "b"),
    ("bernoulli", (KEY,), {"p": 1.5, **DRAW}, "p"),
    ("normal", (KEY,), {"mean": 0.0, "std": -1.0, **DRAW}, "std"),
    ("uniform", (KEY,), {"low": 1.0, "high": 1.0, **DRAW}, "high"),
    ("uniform", (KEY,), {"low": 0.0, "high": 1.0, **DRAW, "dtype": DType.i64}, "dtype"),
    ("group_normalize", (f(2, 6, 3),), {"groups": 4, "eps": 1e-5}, "groups"),
    ("group_normalize", (f(2, 6, 3),), {"groups": 0, "eps": 1e-5}, "groups"),
    ("group_normalize", (f(2, "c", 3),), {"groups": 2, "eps": 1e-5}, "groups"),
    ("group_normalize", (f(2, 6, 3),), {"groups": 2, "eps": 0.0}, "eps"),
    ("rms_normalize", (f(2, 6),), {"axis": -1, "eps": 0.0}, "eps"),
    ("rms_normalize", (f(2, 6),), {"axis": 2, "eps": 1e-5}, "axis"),
    ("circular_conv", (f(2, 6), f(2, "k")), {}, "kernel"),
    ("circular_conv", (f(2, 6), f(3, 3)), {}, "kernel"),
    ("circular_conv", (f(2, 2, 6), f(3, 3)), {}, "kernel"),
    ("add", (f(2, 3), f(2, 4)), {}, "b"),
    ("add", (f(2), tensor("f64", 2)), {}, "b"),
    ("channel_affine", (f(2, 3, 4), f(4), f(3)), {}, "scale"),
    ("prelu", (f(3), f(3)), {}, "x"),
    ("matmul", (f(2, 3),), {}, ""),
    ("conv_transpose", (f(2, 3, 5, 5), f(3, 2, 3)), CONV, "w"),
    ("conv_transpose", (f(2, 3, 5, 5), f(4, 2, 3, 3)), CONV, "w"),
    ("max_pool", (f(2, 3),), {"kernel": (), "stride": (), "pad": (), "ceil": False}, "x"),
    ("einsum", (f(2, 3), tensor("f64", 3, 2)), {"equation": "ab,bc->ac"}, "xs"),
    ("scatter", (tensor("bool", 3), tensor("i64", 2), tensor("bool", 2)), {"axis": 0, "reduction": "add"}, "x"),
    ("softmax", (f(2, 3), tensor("bool", 3)), {"axis": -1, "optional": ("mask",)}, "mask"),
    ("sum", (f(2, 3), tensor("bool", 3)), {"axis": None, "keep": False, "optional": ("mask",)}, "mask"),
    ("huber", (f(2), f(2)), {"delta": 0.0, "each": False}, "delta"),
    ("huber", (f(2), f(3)), {"delta": 1.0, "each": False}, "target"),
)


@pytest.mark.parametrize(("name", "inputs", "attrs", "argument"), REFUSED)
def test_refused(name: str, inputs: tuple[TensorType, ...], attrs: dict[str, Any], argument: str) -> None:
    with pytest.raises(Mismatch) as caught:
        infer(name, inputs, attrs)
    assert caught.value.argument == argument


# settings of `split` that are refused, with what is said to be found
SETTINGS: tuple[tuple[dict[str, Any], str, str], ...] = (
    ({}, "parts", ""),
    ({"part": 2}, "part", ""),
    ({"parts": True}, "parts", "true"),
    ({"parts": "2"}, "parts", '"2"'),
    ({"parts": (2, 2)}, "parts", "[2, 2]"),
    ({"parts": 2.0}, "parts", "2.0"),
    ({"parts": None}, "parts", "none"),
)


@pytest.mark.parametrize(("attrs", "argument", "found"), SETTINGS)
def test_settings_that_are_refused(attrs: dict[str, Any], argument: str, found: str) -> None:
    with pytest.raises(Mismatch) as caught:
        bind_attrs("split", attrs)
    assert (caught.value.argument, caught.value.found) == (argument, found)


@pytest.mark.parametrize("p", [0.0, 1.0])
@pytest.mark.parametrize("dtype", [DType.f32, DType.f64])
def test_bernoulli_at_the_ends_is_certain(p: float, dtype: DType) -> None:
    attrs = {"p": p, "shape": (10, 1000), "dtype": dtype, "stream": 3}
    (y,) = evaluate("bernoulli", np, [np.array([1, 2, 3])], attrs)
    assert (y == p).all()


@pytest.mark.parametrize("dtype", [DType.f32, DType.f64])
def test_softplus_does_not_overflow(dtype: DType) -> None:
    x = np.array([-1e4, -100, 0, 100, 1e4], dtype.numpy)
    with np.errstate(over="raise", invalid="raise"):
        (y,) = evaluate("softplus", np, [x], {})
    np.testing.assert_allclose(y, [0, 0, np.log(2), 100, 1e4], rtol=1e-6, atol=1e-40)


def test_the_gradient_of_a_part_of_a_split() -> None:
    b = Builder("split")
    x = b.input("weight", "x", tensor("f64", 2, 6))
    part = b.many("split", (x,), parts=3, axis=1)[1]
    b.output("loss", F.sum(part * part))
    value = np.arange(12.0).reshape(2, 6)
    found = interpret(differentiate(b.build(), "loss", ("x",)), np, {"x": value})["grad:x"]
    wanted = np.zeros((2, 6))
    wanted[:, 2:4] = 2 * value[:, 2:4]
    np.testing.assert_array_equal(found, wanted)


def test_no_gradient_passes_an_integer() -> None:
    b = Builder("cast")
    x = b.input("weight", "x", tensor("f64", 2))
    b.output("loss", F.sum(F.cast(F.cast(x, dtype=DType.i64), dtype=DType.f64) * x))
    found = interpret(differentiate(b.build(), "loss", ("x",)), np, {"x": np.array([1.5, 2.5])})["grad:x"]
    np.testing.assert_array_equal(found, [1.0, 2.0])
