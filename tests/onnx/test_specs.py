"""The shipped specs export untrained and pass every check; the target specs that cannot run yet say which operator is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from dslc.diagnostics import SpecError
from dslc.loading import load_program
from dslc.program import Network
from exporters.onnx.export import export_network, make_subject
from tests.onnx.networks import parameters

ROOT = Path(__file__).parents[2]
# Counts of the operators that the model must have: what was merged (Conv with bias, BatchNormalization) must stay merged.
SPECS = {
    "gates": {"Cast": 4, "Concat": 1, "Greater": 4},
    "xor": {"Add": 2, "MatMul": 2, "Sigmoid": 1, "Tanh": 1},
    "softmax": {"Add": 1, "MatMul": 1},
    "mlp": {"Add": 3, "Flatten": 1, "MatMul": 3, "Relu": 2},
    "lenet": {"Add": 2, "ArgMax": 1, "Conv": 2, "Flatten": 1, "MatMul": 2, "MaxPool": 2, "Relu": 1},
    "resnet20": {"Add": 10, "BatchNormalization": 21, "Conv": 21, "MatMul": 1, "Mul": 0, "Relu": 19},
    "vgg8": {"Add": 2, "Conv": 6, "Flatten": 1, "MatMul": 2, "MaxPool": 3, "Relu": 7},
}
MERGED = {"lenet": 2, "resnet20": 21, "vgg8": 6}
# (file, network) -> the operator that stands by its signature only, None where all of them run
TARGETS = {
    ("charlm", "CharLM"): "scan",
    ("gan", "Critic"): None,
    ("gan", "Generator"): None,
    ("gpt", "GPT"): None,
    ("lenet5_table", "C3"): None,
    ("ntm", "NTM"): "scan",
    ("seq2seq", "Encoder"): "scan",
    ("seq2seq", "Decoder"): "scan",
    ("siamese", "Embed"): None,
}


def only_network(name: str | Path) -> Network:
    program, _ = load_program(name)
    (net,) = program.networks.values()
    return net


@pytest.mark.parametrize("name", SPECS)
def test_spec_exports_and_passes_all_checks(name: str, tmp_path: Path) -> None:
    net = only_network(name)
    report = export_network(net, parameters(net), tmp_path / "m.onnx")
    assert {key: report.operators.get(key, 0) for key in SPECS[name]} == SPECS[name]
    assert len(report.merged) == MERGED.get(name, 0)
    assert {row.sizes["batch"] for row in report.parity} == {1, 2, 5}
    assert all(row.max_absolute < 1e-4 for row in report.parity)
    assert [item.name for item in report.inputs] == [port.name for port in net.inputs]
    assert (tmp_path / "m.onnx").stat().st_size == report.bytes


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
from dslc.loading import load_program
from exporters.onnx.export import make_subject
from tests.onnx.networks import parameters
from hashlib import sha256
for name in ("lenet", "resnet20"):
    (net,) = load_program(name)[0].networks.values()
    for options in ({}, {"fold": True, "half": True}):
        print(sha256(make_subject(net, parameters(net), spec_text="x", contract={"image": "a"}, **options)[0].data).hexdigest())
"""


def test_same_bytes_over_processes_hash_seeds_and_folders(tmp_path: Path) -> None:
    digests = set()
    for seed, folder in (("0", ROOT), ("4711", tmp_path)):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=folder, env=environment, capture_output=True, text=True, check=True)
        digests.add(done.stdout)
    (digest,) = digests
    assert len(set(digest.split())) == 4


@pytest.mark.parametrize(("file", "name"), TARGETS, ids=lambda part: part)
def test_targets_export_or_say_which_operator_cannot_run_yet(file: str, name: str, tmp_path: Path) -> None:
    program, _ = load_program(ROOT / "tests" / "targets" / f"{file}.nn")
    net, operator = program.networks[name], TARGETS[file, name]
    if operator is None:
        assert export_network(net, parameters(net), tmp_path / "m.onnx").parity
        return
    with pytest.raises(SpecError) as caught:
        export_network(net, parameters(net), tmp_path / "m.onnx")
    found = {diagnostic.operator: diagnostic for diagnostic in caught.value.diagnostics}  # type: ignore[attr-defined]
    assert (found[operator].code, found[operator].place.count(f"{file}.nn:")) == ("onnx-unsupported", 1)  # type: ignore[attr-defined]
    assert list(tmp_path.iterdir()) == []


def test_every_target_is_listed() -> None:
    """All but the one that fine-tunes a shipped network."""
    assert {file for file, _ in TARGETS} | {"finetune"} == {path.stem for path in (ROOT / "tests" / "targets").glob("*.nn")}


def test_export_reads_back(tmp_path: Path) -> None:
    net = only_network("softmax")
    export_network(net, parameters(net), tmp_path / "m.onnx")
    model = onnx.load(tmp_path / "m.onnx", load_external_data=False)
    assert model.graph.name == "Softmax"
    assert [dim.dim_param or dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim] == ["batch", 64]
