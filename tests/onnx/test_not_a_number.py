"""Networks that make NaN of some inputs: what other programs make of NaN is not compared, what they make of numbers is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import dslc
from dslc.diagnostics import InternalError
from exporters.onnx.export import export_network, make_subject
from exporters.onnx.parity import compare_all
from tests.onnx.networks import parameters

BODIES = {
    "max_pool": ("[batch, 2, 4, 3]", "log(x) -> max_pool(2, pad=1)"),
    "max": ("[batch, 5]", "log(x - 1) -> max(axis=1)"),
    "argmax": ("[batch, 5]", "sqrt(x) -> argmax"),
    "where": ("[batch, 5]", "where(x > 0, log(x), x)"),
}


def network(name: str, folder: Path) -> dslc.program.Network:
    type, body = BODIES[name]
    path = folder / "net.nn"
    path.write_text(f"dslc 1\n\nnetwork Net {{\n  input x: {type}\n  output y = {body}\n}}\n")
    return dslc.load(path).program.networks["Net"]


@pytest.mark.parametrize("name", BODIES)
def test_it_is_compared_where_it_makes_numbers(name: str, tmp_path: Path) -> None:
    net = network(name, tmp_path)
    report = export_network(net, parameters(net), None)
    assert report.parity
    assert all(row.max_absolute < 1e-4 for row in report.parity)


@pytest.mark.parametrize("name", ["max_pool", "max", "where"])
def test_other_numbers_are_a_fault(name: str, tmp_path: Path) -> None:
    subject, _, _ = make_subject(network(name, tmp_path), {})
    wrong = np.full(subject.types["y"].sizes({"batch": 2}), 7, np.float32)
    with pytest.raises(InternalError, match="reference computes another `y`"):
        compare_all(subject, {"onnx.reference": lambda inputs: [wrong]}, {"batch": 2})
