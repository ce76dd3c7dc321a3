"""Places into channels: open sizes that are known to be multiples, what is said of others, and the operators of ONNX."""

from __future__ import annotations

import numpy as np
import pytest

from dslc.interpret import interpret
from dslc.ir.types import Dim, DType, tensor
from dslc.loading import check_source
from dslc.ops.infer import bind_attrs, evaluate
from dslc.ops.table import infer
from dslc.source import Source
from tests.onnx.test_opset_spatial import export

SPEC = """dslc 1

network N {{
  input x: [batch, {shape}]
  output y = x -> {body}
}}
"""


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_there_and_back(mode: str) -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (2, 3, 6, 9))
    attrs = bind_attrs("space_to_depth", {"scale": 3, "mode": mode})
    (y,) = evaluate("space_to_depth", np, (x,), attrs)
    first = y[:, :3] if mode == "DCR" else y[:, ::9]
    np.testing.assert_array_equal(first, x[:, :, ::3, ::3])
    np.testing.assert_array_equal(evaluate("depth_to_space", np, (y,), attrs)[0], x)


def test_open_sizes_that_are_multiples() -> None:
    h, w = Dim.of("h"), Dim.of("w")
    x = tensor("f32", "batch", 3, 4 * h, w // 2 * 2)
    (y,) = infer("space_to_depth", [x], bind_attrs("space_to_depth", {"scale": 2}))
    assert y.shape[1:] == (Dim.of(12), 2 * h, w // 2)
    (z,) = infer("depth_to_space", [tensor("f32", "batch", 4 * Dim.of("c"), h, w)], bind_attrs("depth_to_space", {"scale": 2}))
    assert z.shape[1:] == (Dim.of("c"), 2 * h, 2 * w)


@pytest.mark.parametrize(
    ("shape", "body", "words"),
    [
        ("2, 5, 6", "pixel_unshuffle(2)", "axis 2 of `x` of `space_to_depth` has size 5, which is no multiple of 2"),
        ("2, h, 6", "space_to_depth(2)", "size h, which may be no multiple of 2: give it a fixed size, or cut it, `x[:, :, 0:h // 2 * 2]`"),
        ("2, 4, w", "conv(3, kernel=2) -> space_to_depth(3)", "cut it, `x[:, :, :, 0:(w - 1) // 3 * 3]`"),
        ("6, h, w", "pixel_shuffle(2)", "axis 1 of `x` of `depth_to_space` has size 6, which is no multiple of 4"),
        ("4, h, w", 'op.depth_to_space(2, mode="RCD")', '"DCR" or "CRD"'),
        ("4, h, w", "op.depth_to_space(0)", "at least 1"),
    ],
)  # fmt: skip
def test_what_is_said_of_other_sizes(shape: str, body: str, words: str) -> None:
    program, found = check_source(Source("n.nn", SPEC.format(shape=shape, body=body)))
    assert program is None
    assert words in found[0].message
    assert found[0].span.text in body


def test_what_is_advised_is_accepted() -> None:
    text = SPEC.format(shape="3, h, w", body="exp")
    text = text.replace("y = x -> exp", "z = x[:, :, 0:h // 2 * 2, 0:w // 2 * 2] -> space_to_depth(2)")
    program, found = check_source(Source("n.nn", text), precision=DType.f64)
    assert program is not None, [d.message for d in found]
    x = np.random.default_rng(1).uniform(-1, 1, (1, 3, 5, 6))
    z = interpret(program.networks["N"].evaluate, np, {"x": x})["z"]
    np.testing.assert_array_equal(z[:, :3], x[:, :, 0:4:2, 0:6:2])


@pytest.mark.parametrize("opset", [13, 17, 28])
@pytest.mark.parametrize("call", ["space_to_depth", "pixel_unshuffle", "depth_to_space", "pixel_shuffle"])
def test_exported_with_open_sizes(call: str, opset: int) -> None:
    body = f"exp\n  z = x[:, :, 0:h // 2 * 2, 0:w // 2 * 2] -> {call}(2)\n  output gx = grad(sum(z * z), x)"
    report = export(("[batch, 4, h, w]", body), opset)
    assert report.parity
    assert all(row.max_absolute < 1e-4 for row in report.parity)
    assert ("SpaceToDepth" if call == "space_to_depth" else "DepthToSpace") in report.operators
