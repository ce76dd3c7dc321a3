"""Batch normalisation folded in the shipped networks: how many remain, in every opset, flat and with functions."""

from __future__ import annotations

import numpy as np
import pytest

from dslc.program import Network
from exporters.onnx.export import export_network
from tests.onnx.networks import parameters
from tests.onnx.test_specs import only_network
from tests.specs.subjects import reduced

# spec -> network, normalisations before, after: those that normalise an input or joined tensors, with no layer before them
SPECS = {
    "resnet18": ("ResNet18", 20, 0),
    "mobilenet2": ("MobileNet2", 52, 0),
    "densenet121": ("DenseNet121", 17, 10),
    "gan": ("Generator", 2, 1),  # the other one follows a reshape of what a dense layer makes
    "wide_deep": ("WideDeep", 1, 1),
}
CUTS = (13, 14, 15, 17, 18, 20, 21, 22, 23, 24, 28)


def values(net: Network) -> dict[str, np.ndarray]:
    """Weights of both signs, variances above 0."""
    return {name: np.abs(array) + np.float32(0.1) if name.endswith(".var") else array for name, array in parameters(net).items()}


@pytest.mark.parametrize("name", SPECS)
def test_normalisations_that_remain(name: str) -> None:
    network, before, after = SPECS[name]
    net = reduced(name).networks[network]
    plain = export_network(net, values(net), None, verify=False)
    assert plain.operators["BatchNormalization"] == before
    report = export_network(net, values(net), None, fold_batch_norm=True)
    assert report.operators.get("BatchNormalization", 0) == after == len(report.not_folded)
    assert len(report.folded) == before - after
    assert report.nodes == plain.nodes - (before - after)


@pytest.mark.parametrize("opset", CUTS)
def test_every_opset(opset: int) -> None:
    net = only_network("resnet20")
    verify = opset == 13  # all opsets have the operators of it, so one comparison is enough
    report = export_network(net, values(net), None, fold_batch_norm=True, opset=opset, verify=verify)
    assert report.operators == {"Add": 10, "Conv": 21, "MatMul": 1, "ReduceMean": 1, "Relu": 19}
    assert [(item.name, item.calls, item.nodes) for item in report.functions] == [("residual", 7, 5), ("residual_1", 2, 6)]


def test_flat_and_with_functions_are_the_same_network() -> None:
    net = only_network("resnet20")
    flat = export_network(net, values(net), None, fold_batch_norm=True, flat=True)
    assert (len(flat.folded), flat.functions, flat.operators.get("BatchNormalization")) == (21, (), None)
    assert max(row.max_relative for row in flat.parity) < 1e-3
