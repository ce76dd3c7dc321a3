"""The shipped specs export untrained and pass every check; the target specs that cannot run yet say which operator is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from dslc.diagnostics import SpecError
from dslc.load import load_program
from dslc.program import Network
from exporters.onnx.check import static_checks
from exporters.onnx.export import export_network, make_subject
from exporters.onnx.parity import BACKENDS, LeftOut, Run, compare_all
from tests.onnx.networks import parameters

ROOT = Path(__file__).parents[2]
TARGETS = ROOT / "tests" / "targets"
# name -> operators of the model, one line a kind: what was merged must stay merged
SPECS = {
    "gates": {"Cast": 4, "Concat": 1, "Greater": 4},
    "xor": {"Add": 2, "MatMul": 2, "Sigmoid": 1, "Tanh": 1},
    "softmax": {"Add": 1, "MatMul": 1},
    "mlp": {"Add": 3, "MatMul": 3, "Relu": 2, "Reshape": 1},
    "lenet": {"Add": 2, "ArgMax": 1, "Conv": 2, "MatMul": 2, "MaxPool": 2, "Relu": 1, "Reshape": 1},
    "resnet20": {"Add": 10, "BatchNormalization": 21, "Conv": 21, "MatMul": 1, "Relu": 19},
    "vgg8": {"Add": 2, "Conv": 6, "MatMul": 2, "MaxPool": 3, "Relu": 7, "Reshape": 1},
}
LARGE = ("resnet20", "vgg8")


def only_network(name: str | Path) -> Network:
    program, _ = load_program(name)
    (net,) = program.networks.values()
    return net


@pytest.mark.parametrize("name", [name for name in SPECS if name not in LARGE])
def test_spec_exports_and_passes_all_checks(name: str, tmp_path: Path) -> None:
    net = only_network(name)
    report = export_network(net, parameters(net), tmp_path / "m.onnx")
    assert {key: report.operators.get(key, 0) for key in SPECS[name]} == SPECS[name]
    assert {row.sizes["batch"] for row in report.parity} == {1, 2, 5}
    assert [item.name for item in report.inputs] == [port.name for port in net.inputs]
    assert (tmp_path / "m.onnx").stat().st_size == report.bytes


@pytest.mark.parametrize("name", LARGE)
def test_large_spec_is_at_parity(name: str) -> None:
    """One batch of two: the whole grid of sizes takes longer and adds nothing."""
    net = only_network(name)
    subject, merged, _ = make_subject(net, parameters(net))
    static_checks(subject)
    counts = {key: sum(node.op_type == key for node in subject.model.graph.node) for key in SPECS[name]}
    assert counts == SPECS[name]
    assert len(merged) == {"resnet20": 21, "vgg8": 6}[name]
    for row in compare_all(subject, runs(subject.data), {"batch": 2}):
        assert row.max_absolute < 1e-4


def runs(data: bytes) -> dict[str, Run]:
    found = {}
    for name, make in BACKENDS.items():
        try:
            found[name] = make(data)
        except LeftOut as reason:
            assert "not installed" in str(reason)
    return found


def test_places_and_addresses_of_lenet() -> None:
    net = only_network("lenet")
    model = make_subject(net, parameters(net))[0].model
    held = [{item.key: item.value for item in node.metadata_props} for node in model.graph.node]
    assert all(item["dslc.source"].startswith("specs/") and item["dslc.address"].startswith("LeNet") for item in held)
    assert [item.name for item in model.graph.initializer if "/" not in item.name] == [
        f"LeNet.{layer}.{kind}" for layer in ("conv0", "conv1", "dense0", "dense1") for kind in ("w", "b")
    ]
    assert [item.name for item in model.graph.output] == ["logits", "class"]


SCRIPT = """
import sys
from dslc.load import load_program
from exporters.onnx.export import make_subject
from tests.onnx.networks import parameters
from hashlib import sha256
for name in ("lenet", "resnet20"):
    (net,) = load_program(name)[0].networks.values()
    print(sha256(make_subject(net, parameters(net), spec_text="x", contract={"image": "a"})[0].data).hexdigest())
"""


def test_same_bytes_over_processes_hash_seeds_and_folders(tmp_path: Path) -> None:
    digests = set()
    for seed, folder in (("0", ROOT), ("4711", tmp_path)):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=folder, env=environment, capture_output=True, text=True, check=True)
        digests.add(done.stdout)
    (digest,) = digests
    assert len(digest.split()) == 2


def signature_only() -> list[Path]:
    return [path for path in sorted(TARGETS.glob("*.nn")) if load_program(path)[0].uses_signature_only]


def test_targets_that_cannot_run_yet_say_which_operator(tmp_path: Path) -> None:
    """Each network with an operator that stands by its signature only is refused with the operator and its place."""
    refused: set[str] = set()
    for path in signature_only():
        for net in load_program(path)[0].networks.values():
            given = {item.address: np.zeros(item.type.sizes({}), item.type.dtype.numpy) for item in (*net.weights, *net.states)}
            try:
                export_network(net, given, tmp_path / f"{net.name}.onnx", verify=False)
            except SpecError as error:
                refused.add(path.stem)
                for diagnostic in error.diagnostics:
                    assert (diagnostic.code, diagnostic.place.split(":")[0].split("/")[-1]) == ("onnx-unsupported", path.name)  # type: ignore[attr-defined]
                assert not (tmp_path / f"{net.name}.onnx").exists()
    assert refused


def test_export_reads_back(tmp_path: Path) -> None:
    net = only_network("softmax")
    export_network(net, parameters(net), tmp_path / "m.onnx")
    model = onnx.load(tmp_path / "m.onnx", load_external_data=False)
    assert model.graph.name == "Softmax"
    assert [dim.dim_param or dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim] == ["batch", 64]
