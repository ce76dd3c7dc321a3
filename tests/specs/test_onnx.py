"""Every network of the reduced specs exports untrained, passes every check and agrees with onnxruntime and the reference."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporters.onnx.export import export_network
from tests.peers.values import weights
from tests.specs.rows import ROWS, Row
from tests.specs.subjects import count, reduced


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_exports_and_agrees(row: Row, tmp_path: Path) -> None:
    for network in reduced(row.name).networks.values():
        report = export_network(network, weights((*network.weights, *network.states)), tmp_path / f"{network.name}.onnx")
        assert report.parameters == count(network.weights)
        assert {check.verdict for check in report.checks} <= {"passed", "left out", "ok"}, report.checks
        assert {part.backend for part in report.parity} & {"onnx.reference", "onnxruntime"}
        assert all(part.max_absolute < 1e-4 for part in report.parity)
