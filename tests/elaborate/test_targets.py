"""The small shipped specs and the target specs elaborate to names, addresses and symbolic shapes, held as golden text."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dslc.ir.types import TensorType
from dslc.ir.verify import verify
from dslc.loading import check_source, load_program, specs_folder
from dslc.program import Network, Program, Training
from dslc.render import render_text
from dslc.source import Source
from tests.conftest import Golden
from tests.specs.rows import NAMES

TARGETS = Path(__file__).parent.parent / "targets"
GOLDEN = Path(__file__).parent / "programs"
SMALL = [path for path in specs_folder().glob("*.nn") if path.stem not in NAMES]  # the others: tests/specs
SPECS = sorted([*SMALL, *TARGETS.glob("*.nn")])


def program_of(path: Path, folder: Path) -> Program:
    """Targets may import shipped specs, which stand beside them in a folder of their own."""
    for spec in (*specs_folder().glob("*.nn"), *specs_folder().glob("*.csv"), path):
        shutil.copy(spec, folder / spec.name)
    source = Source(path.name, path.read_text(encoding="utf-8"))
    program, diagnostics = check_source(source, folder=folder)
    assert program is not None, render_text(diagnostics)
    return program


def elements(type: TensorType) -> int:
    return type.elements.evaluate({})


def network_text(network: Network) -> list[str]:
    lines = [f"network {network.name}"]
    lines += [f"  input {port.name}: {port.type}" + ("" if port.default is None else f" = {port.default}") for port in network.inputs]
    lines += [f"  output {port.name}: {port.type}" for port in network.outputs]
    lines += [f"  weight {weight.address}: {weight.type} = {weight.init.name}" for weight in network.weights]
    lines += [f"  state {state.address}: {state.type} = {state.init.name}" for state in network.states]
    lines += [f"  layer {row.address}: {', '.join(map(str, row.outputs))}" for row in network.layers]
    return [*lines, f"  {sum(elements(weight.type) for weight in network.weights):,} parameters"]


def training_text(training: Training) -> list[str]:
    lines = [f"train {training.name}: {', '.join(training.networks)}"]
    for source in training.data:
        lines.append(f"  data {source.variable} = {source.kind} {source.args}")
        lines += [f"    {name}: {type}" for name, type in source.fields.items()]
    for step in training.steps:
        optimizer = f"{step.optimizer.name} {step.optimizer.args}"
        lines.append(f"  step {step.name} ×{step.times}: {', '.join(step.trains)}; {optimizer}")
        lines += [f"    {output.name}: {step.graph.types[output.id]}" for output in step.graph.outputs]
        lines += [f"    update {update.name}" for update in step.graph.updates]
    lines += [f"  state {state.address}: {state.type}" for state in training.states if state.scope == "train"]
    lines += [f"  rule {rule.pattern} {rule.settings}: {', '.join(rule.matches)}" for rule in training.rules]
    lines += [f"  {name} <- {text}" for name, text in training.contract.items()]
    lines.append(f"  schedule {training.schedule and training.schedule.name}, clip {training.clip and training.clip.args}")
    return [*lines, f"  batch_size {training.batch_size}, epochs {training.epochs}, steps {training.max_steps}"]


def program_text(program: Program) -> str:
    lines: list[str] = []
    for network in program.networks.values():
        lines += network_text(network)
    for training in program.trainings.values():
        lines += training_text(training)
    for generate in program.generates.values():
        lines.append(f"generate {generate.name} {generate.settings}")
        lines += [f"  {item.kind} {item.name}: {generate.graph.types[item.id]}" for item in generate.graph.inputs if item.kind != "weight"]
        lines += [f"  output {output.name}: {generate.graph.types[output.id]}" for output in generate.graph.outputs]
    lines += [f"param {item.name}: {item.type} = {item.value} ({item.origin})" for item in program.params]
    lines += [f"setting {item.name} = {item.value} ({item.origin})" for item in program.settings]
    lines += [f"not run: {name}" for name in program.uses_signature_only]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_program(path: Path, tmp_path: Path, golden: Golden) -> None:
    golden(GOLDEN / f"{path.stem}.txt", program_text(program_of(path, tmp_path)))


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_graphs_are_valid(path: Path, tmp_path: Path) -> None:
    program = program_of(path, tmp_path)
    for network in program.networks.values():
        verify(network.evaluate)
        verify(network.train)
    for training in program.trainings.values():
        for graph in (training.evaluate, training.predict, *(step.graph for step in training.steps)):
            verify(graph)
    for generate in program.generates.values():
        verify(generate.graph)


def parameters(name: str) -> int:
    program, _ = load_program(name)
    return sum(elements(weight.type) for network in program.networks.values() for weight in network.weights)


def test_lenet_has_431_080_parameters() -> None:
    # conv 20·1·5²+20, conv 50·20·5²+50, dense 800·500+500, dense 500·10+10
    assert parameters("lenet") == 520 + 25_050 + 400_500 + 5_010 == 431_080


def test_lenet5_table_has_1516_weights() -> None:
    # Table of LeCun et al. 1998: 60 connections of 5², and 16 biases.
    program = check_source(Source("t.nn", (TARGETS / "lenet5_table.nn").read_text()))[0]
    assert program is not None
    assert sum(elements(weight.type) for weight in program.networks["C3"].weights) == 60 * 25 + 16 == 1_516


def test_resnet20_with_projections() -> None:
    # Stem 3·16·9; a stage of width c: six 3×3 convolutions, the first of them from the width before; norms have 2c each;
    # a projection c·(width before) with a norm where the width changes; dense 64·10 + 10.
    def stage(before: int, c: int) -> int:
        convolutions = 9 * (before * c + 5 * c * c)
        projection = before * c + 2 * c if before != c else 0
        return convolutions + 6 * 2 * c + projection

    assert parameters("resnet20") == 3 * 16 * 9 + 32 + stage(16, 16) + stage(16, 32) + stage(32, 64) + 650 == 272_474


def test_vgg8_parameters() -> None:
    widths = [(3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256)]
    convolutions = sum(9 * a * b + b for a, b in widths)
    assert parameters("vgg8") == convolutions + 256 * 4 * 4 * 256 + 256 + 256 * 10 + 10


def test_weights_are_the_same_in_both_phases() -> None:
    program, _ = load_program("resnet20")
    network = program.networks["ResNet20"]
    for graph in (network.evaluate, network.train):
        weights = [item.name for item in graph.inputs if item.kind == "weight"]
        assert weights == [weight.address for weight in network.weights]
    assert {item.name for item in network.train.updates} == {state.address for state in network.states}
    assert network.evaluate.updates == ()


def test_addresses_of_nodes_are_unique() -> None:
    program, _ = load_program("resnet20")
    addresses = [node.address for node in program.networks["ResNet20"].evaluate.nodes]
    assert len(addresses) == len(set(addresses))
