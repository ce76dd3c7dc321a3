"""Batch normalisation folded into the layer before it: the same values, fewer nodes, and left alone where something is shared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dslc.loading import load_program
from dslc.program import Network
from exporters.onnx.export import export_network, make_subject
from tests.onnx.networks import parameters

BARE = """dslc 1

block bare(x: [batch, c, *s]) {
  state mean: [c] = zeros
  state var: [c] = ones
  m, v = mean, var
  if training {
    m, v = op.channel_moments(x)
    update mean = 0.9 * mean + 0.1 * m
    update var = 0.9 * var + 0.1 * v
  }
  d = sqrt(v + 1e-5)
  return op.channel_affine(x, 1 / d, -m / d)
}
"""
TWICE = """
block twice(a: [batch, c, *s]) {
  weight w: [4, c, 3, 3] = he
  return op.conv(a, w), op.conv(-a, w)
}
"""
TWIN = """dslc 1

block twin(a: [batch, c, *s]) {
  weight w: [4, c, 3, 3] = he
  weight gamma: [4] = ones
  weight beta: [4] = zeros
  state mean: [4] = zeros
  state var: [4] = ones
  d = sqrt(var + 1e-5)
  scale, shift = gamma / d, beta - mean * gamma / d
  return op.channel_affine(op.conv(a, w), scale, shift) * op.channel_affine(op.conv(-a, w), scale, shift)
}
"""


def spec(folder: Path, body: str, shape: str, blocks: str = "dslc 1\n") -> Network:
    path = folder / "net.nn"
    path.write_text(f"{blocks}\nnetwork Net {{\n  input x: {shape}\n{body}\n}}\n")
    (net,) = load_program(path)[0].networks.values()
    return net


def values(net: Network) -> dict[str, np.ndarray]:
    """Weights of both signs, variances above 0."""
    return {name: np.abs(array) + np.float32(0.1) if name.endswith(".var") else array for name, array in parameters(net).items()}


LAYERS = {
    "conv(4, kernel=3, bias=false)": "[batch, 3, 6, 6]",
    "conv(4, kernel=3, pad=1, stride=2, groups=2)": "[batch, 6, 5, 5]",
    "conv(4, kernel=3)": "[batch, 2, time]",
    "conv(6, kernel=2, groups=3)": "[batch, 3, 3, 4, 3]",
    "depthwise_conv(kernel=3)": "[batch, 4, 6, 6]",
    "conv_transpose(6, kernel=3, stride=2, groups=3)": "[batch, 3, 5, 5]",
    "conv_transpose(6, kernel=3, bias=false)": "[batch, 4, 5]",
    "weight_norm_conv(4, kernel=3)": "[batch, 3, 6, 6]",
    "dense(5)": "[batch, 7]",
    "dense(5, bias=false)": "[batch, 7]",
}


@pytest.mark.parametrize("norm", ["batch_norm", "bare"])
@pytest.mark.parametrize("layer", LAYERS)
def test_the_normalisation_is_part_of_the_weights(layer: str, norm: str, tmp_path: Path) -> None:
    net = spec(tmp_path, f"  output y = x -> {layer} -> {norm} -> relu", LAYERS[layer], BARE)
    for opset in (13, 21):
        report = export_network(net, values(net), None, fold_batch_norm=True, opset=opset)
        assert (len(report.folded), report.not_folded) == (1, ())
        assert report.operators.keys() <= {"Conv", "ConvTranspose", "MatMul", "Add", "Relu"}
        assert len(report.parity) >= 3


def test_a_weight_is_scaled_in_double_precision_and_rounded_once(tmp_path: Path) -> None:
    net = spec(tmp_path, "  output y = x -> conv(4, kernel=3) -> batch_norm(eps=1e-3)", "[batch, 3, 6, 6]")
    given = values(net)
    subject = make_subject(net, given, fold=True)[0]
    w, b = (given[f"Net.conv0.{name}"].astype(np.float64) for name in ("w", "b"))
    gamma, beta, mean, var = (given[f"Net.batch_norm0.{name}"].astype(np.float64) for name in ("gamma", "beta", "mean", "var"))
    scale = gamma / np.sqrt(var + np.float64(np.float32(1e-3)))
    assert sorted(subject.stored) == ["Net.conv0.b", "Net.conv0.w"]
    np.testing.assert_array_equal(subject.stored["Net.conv0.w"], (w * scale.reshape(4, 1, 1, 1)).astype(np.float32))
    np.testing.assert_allclose(subject.stored["Net.conv0.b"], (b - mean) * scale + beta, rtol=2**-24)


def test_off_unless_asked_for(tmp_path: Path) -> None:
    net = spec(tmp_path, "  output y = x -> conv(4, kernel=3) -> batch_norm", "[batch, 3, 6, 6]")
    report = export_network(net, values(net), None)
    assert (report.folded, report.not_folded, report.operators["BatchNormalization"]) == ((), (), 1)


# ---- what stays ---------------------------------------------------------------------------------------------------------------------

IMAGE = "[batch, 3, 6, 6]"
LEFT = {
    "read twice": ("  h = x -> conv(4, kernel=3)\n  output y = (h -> batch_norm) + h", IMAGE, "2 nodes read the result of Net.conv0/add0"),
    "an output": ("  output h = x -> conv(4, kernel=3)\n  output y = h -> batch_norm", IMAGE, "the result of Net.conv0/add0 is an output"),
    "before its bias an output": (
        "  output h = x -> conv(4, kernel=3, bias=false)\n  output y = (h + 1) -> batch_norm", IMAGE, "conv0/conv0 is an output"
    ),
    "an activation": ("  output y = x -> conv(4, kernel=3) -> relu -> batch_norm", IMAGE, "the result of Net/relu0, which is no conv"),
    "an input": ("  output y = x -> batch_norm -> relu", IMAGE, "it normalises an input of the network"),
    "a padded convolution behind": ("  output y = x -> batch_norm -> conv(4, kernel=3, pad=1)", IMAGE, "conv0/conv0 pads with zeros"),
    "a convolution behind": ("  output y = x -> batch_norm -> conv(4, kernel=3)", IMAGE, "Net.conv0/conv0 stands behind it"),
    "the other axis": ("  output y = x -> dense(5) -> batch_norm", "[batch, 7, 4]", "makes the last axis"),
    "a weight from outside": ("  input w: [4, 3, 3, 3]\n  output y = op.conv(x, w) -> batch_norm", IMAGE, "is no parameter"),
    "joined": ("  output y = concat([x, x], axis=1) -> batch_norm -> relu", IMAGE, "the result of Net/concat0"),
    "a shared weight": ("  a, b = x -> twice\n  output y = a -> batch_norm\n  output z = b", IMAGE, "reads Net.twice0.w too"),
}  # fmt: skip


@pytest.mark.parametrize("case", LEFT)
def test_what_cannot_be_folded_is_left_with_the_reason(case: str, tmp_path: Path) -> None:
    body, shape, reason = LEFT[case]
    net = spec(tmp_path, body, shape, BARE + TWICE)
    report = export_network(net, values(net), None, fold_batch_norm=True, verify=False)
    assert report.folded == ()
    assert report.operators["BatchNormalization"] == 1
    (sentence,) = report.not_folded
    assert sentence.startswith("Net.batch_norm0/channel_affine0: ")
    assert reason in sentence
    assert f"  unfolded  {sentence}" in report.text()


def test_nothing_to_fold(tmp_path: Path) -> None:
    net = spec(tmp_path, "  output y = x -> conv(4, kernel=3) -> relu", IMAGE)
    assert export_network(net, values(net), None, fold_batch_norm=True).not_folded == (
        "there is no batch normalisation by running moments",
    )


def test_a_number_that_would_not_be_finite_is_left_alone(tmp_path: Path) -> None:
    net = spec(tmp_path, "  output y = x -> conv(4, kernel=3) -> batch_norm", IMAGE)
    given = values(net) | {"Net.batch_norm0.gamma": np.full(4, 3e38, np.float32), "Net.batch_norm0.var": np.zeros(4, np.float32)}
    subject = make_subject(net, given, fold=True)[0]
    assert subject.folded == ()
    assert subject.not_folded == ("Net.batch_norm0/channel_affine0: a folded weight or bias would not be finite",)
    assert "BatchNormalization" in {node.op_type for node in subject.model.graph.node}


def test_readers_of_a_weight_that_are_scaled_in_other_ways_get_copies(tmp_path: Path) -> None:
    net = spec(tmp_path, "  a, b = x -> twice\n  output y = (a -> batch_norm) + (b -> batch_norm)", IMAGE, BARE + TWICE)
    report = export_network(net, values(net), None, fold_batch_norm=True)
    assert (len(report.folded), report.not_folded, report.operators.get("BatchNormalization")) == (2, (), None)
    stored = make_subject(net, values(net), fold=True)[0].stored
    assert sorted(stored) == ["Net.twice0.b", "Net.twice0.b.1", "Net.twice0.w", "Net.twice0.w.1"]


def test_readers_that_are_scaled_alike_share_the_weight(tmp_path: Path) -> None:
    net = spec(tmp_path, "  output y = x -> twin", IMAGE, TWIN)
    assert len(export_network(net, values(net), None, fold_batch_norm=True).folded) == 2
    assert sorted(make_subject(net, values(net), fold=True)[0].stored) == ["Net.twin0.b", "Net.twin0.w"]
