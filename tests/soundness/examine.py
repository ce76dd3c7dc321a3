"""What must hold of a spec: it is refused with diagnostics, or it runs and every way to run it computes what the interpreter computes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dslc
from dslc.diagnostics import DataError, DivergedError, SpecError
from dslc.interpret import interpret
from dslc.ir.graph import Graph
from dslc.ir.types import DType, TensorType
from dslc.loading import check_source
from dslc.passes.differentiate import differentiate
from dslc.passes.pipeline import optimize
from dslc.program import Program
from dslc.source import Source
from dslc.syntax.format import format_source
from exporters.onnx.export import export_network
from exporters.onnx.lower import why_not
from runtime.step import compile_step
from tests.soundness.specs import SAMPLES, SYMBOLS, Spec

Arrays = Mapping[str, Any]
TOLERANCE = {DType.f32: 1e-3, DType.f64: 1e-7}
MOVE = {DType.f32: 1e-5, DType.f64: 1e-13}  # relative, of inputs: more than rounding
SEED = 1
BATCHES = ((0, 3), (0, 1), (3, 7), (5, 7))  # samples: a batch as planned for, smaller ones and a larger one


def examine(
    spec: Spec, folder: Path, *, precision: DType = DType.f64, export: Mapping[str, Any] | None = None, train: bool = False
) -> bool:
    """Whether the spec was accepted. Raises where something does not hold; `export` (options of an export) and `train` say what else is tried."""
    np.savez(folder / "data.npz", **spec.arrays)
    program, found = check_source(source(spec.text), folder=folder, precision=precision)
    if program is None:
        assert any(item.severity == "error" for item in found)
        return False
    same_program(spec.text, folder, program)
    if program.trainings:
        with suppress(UnfitData):
            Examined(program, spec).run()
    if export is not None:
        exported(program, export)
    if train and program.trainings:
        trained(spec.text, folder)
    return True


def source(text: str) -> Source:
    return Source("spec.nn", text)


def same_program(text: str, folder: Path, program: Program) -> None:
    """The formatted text is a fixed point and means the same."""
    formatted = format_source(source(text))
    assert format_source(source(formatted)) == formatted
    again, _ = check_source(source(formatted), folder=folder, precision=program.precision)
    assert again is not None
    assert unplaced(again) == unplaced(program), "the formatted text is another program"


def unplaced(program: Program) -> str:
    return re.sub(r'"place":"[^"]*"', "", program.model_dump_json())


def exported(program: Program, options: Mapping[str, Any]) -> None:
    """Networks of exportable operators pass all checks of the export."""
    for network in program.networks.values():
        if any(why_not(node.op) for node in network.evaluate.nodes):
            continue
        numbers = np.random.default_rng(0)
        parameters = {
            item.address: numbers.uniform(0.1, 0.9, item.type.sizes({})).astype(item.type.dtype.numpy)
            for item in (*network.weights, *network.states)
        }
        try:
            export_network(network, parameters, None, **options)
        except SpecError as error:
            assert any(words in str(error) for words in ("a stride above its kernel", "with `ceil`", "a dilation"))


def trained(text: str, folder: Path) -> None:
    """Two steps of the training loop, from the file."""
    path = folder / "spec.nn"
    path.write_text(text)
    with suppress(DivergedError, DataError):  # numbers, not types
        dslc.load(path).train(max_steps=2, out=folder / "run", threads=1, quiet=True)


class UnfitData(Exception):
    """The data hold a label or an index that does not fit: every way to run the spec says so."""


class Examined:
    """One training, run in all ways."""

    def __init__(self, program: Program, spec: Spec) -> None:
        self.spec = spec
        self.precision = program.precision
        self.step = compile_step(program, batch_size=3, threads=2, keep_grads=True, seed=SEED)
        self.training = self.step.training

    def run(self) -> None:
        for number, (start, stop) in enumerate(BATCHES):
            self.one_step(number, self.batch(start, stop))
        self.evaluation()
        self.prediction()
        self.forward()

    def batch(self, start: int, stop: int) -> dict[str, np.ndarray]:
        return {name: array if name in self.spec.whole else array[start:stop] for name, array in self.spec.arrays.items()}

    def inputs(self, graph: Graph, fields: Arrays) -> dict[str, np.ndarray]:
        """Arrays for a graph of the training, in its dtypes."""
        found = dict(self.step.parameters())
        for item in graph.inputs:
            if item.kind == "key":
                found[item.name] = np.array([SEED, 0, 0])
            if item.kind == "data":
                found[item.name] = fields[item.name.partition(".")[2]].astype(graph.types[item.id].dtype.numpy)
        return found

    def one_step(self, number: int, fields: dict[str, np.ndarray]) -> None:
        """Loss, gradients and new states; then the update, so that the next step has other weights."""
        program = self.training.steps[0]
        graph = differentiate(program.graph, "loss", program.trains)
        arrays = self.inputs(graph, fields) | {item.name: np.array([SEED, number, 0]) for item in graph.inputs if item.kind == "key"}
        try:
            wanted = interpret(graph, np, arrays)
        except DataError as error:  # a label that is no class, an index that is outside
            with pytest.raises(DataError):
                self.step.backward(fields, seed=SEED, step=number, first_sample=0)
            raise UnfitData from error
        status = self.step.backward(fields, seed=SEED, step=number, first_sample=0)
        found = {"loss": np.asarray(status.loss, wanted["loss"].dtype)}
        found |= {f"grad:{name}": value for name, value in self.step.grads().items()}
        found |= {name: np.array(value) for name, value in self.step.results.items() if name.startswith("update:")}
        self.compare(f"step {number}", graph, arrays, found, wanted)
        self.compare(f"optimised step {number}", graph, arrays, interpret(optimize(graph), np, arrays), wanted)
        if status.finite:
            self.step.apply(1e-3)

    def evaluation(self) -> None:
        """Over batches, as over the whole split at once."""
        graph = self.training.evaluate
        arrays = self.inputs(graph, self.batch(0, SAMPLES))
        wanted = interpret(graph, np, arrays)
        found = self.step.evaluate([self.batch(start, min(start + 3, SAMPLES)) for start in range(0, SAMPLES, 3)])
        self.compare("evaluation", graph, arrays, {name: np.asarray(value, wanted[name].dtype) for name, value in found.items()}, wanted)

    def prediction(self) -> None:
        graph, fields = self.training.predict, self.batch(2, 5)
        arrays = self.inputs(graph, fields)
        self.compare("prediction", graph, arrays, self.step.predict(fields), interpret(graph, np, arrays))

    def forward(self) -> None:
        network = self.step.network()
        arrays: dict[str, Any] = {port.name: drawn(port.type) for port in network.inputs}
        try:
            found = self.step.forward(**arrays)
        except DataError as error:  # a window that does not fit into an open size
            assert "too small" in str(error)
            return
        arrays |= self.step.parameters() | {item.name: np.array([SEED, 0, 0]) for item in network.evaluate.inputs if item.kind == "key"}
        self.compare("forward", network.evaluate, arrays, found, interpret(network.evaluate, np, arrays))

    # ---- comparison

    def compare(self, what: str, graph: Graph, arrays: Arrays, found: Arrays, wanted: Arrays) -> None:
        differing = [name for name in found if not self.alike(found[name], wanted[name])]
        if differing and not self.shaky(graph, arrays, wanted, differing):
            name = differing[0]
            raise AssertionError(f"{what}: {name} is\n{found[name]}\ninstead of\n{wanted[name]}")

    def alike(self, found: Any, wanted: Any) -> bool:
        a, b = np.asarray(found), np.asarray(wanted)
        assert a.shape == b.shape and a.dtype == b.dtype, f"{a.dtype}{a.shape} instead of {b.dtype}{b.shape}"
        if a.dtype.kind != "f":
            return bool((a == b).all())
        largest = np.abs(b).max(initial=1.0, where=np.isfinite(b))
        tolerance = TOLERANCE[self.precision]
        return bool(np.allclose(a, b, rtol=tolerance, atol=tolerance * largest, equal_nan=True))

    def shaky(self, graph: Graph, arrays: Arrays, wanted: Arrays, names: list[str]) -> bool:
        """Whether these results jump when every input moves by little, as at a kink: then no two ways to compute them agree."""
        numbers = np.random.default_rng(0)
        for _ in range(6):
            moved = {name: self.moved(array, numbers) for name, array in arrays.items()}
            found = interpret(graph, np, moved)
            if not all(self.alike(found[name], wanted[name]) for name in names):
                return True
        return False

    def moved(self, array: Any, numbers: np.random.Generator) -> Any:
        if array.dtype.kind != "f":
            return array
        return (array * (1 + MOVE[self.precision] * numbers.uniform(-1, 1, array.shape))).astype(array.dtype)


def drawn(type: TensorType) -> np.ndarray:
    """An array for an input of a network: two samples, open sizes as in the data."""
    sizes = {**dict.fromkeys(type.names, 6), **SYMBOLS, "batch": 2}
    numbers = np.random.default_rng(type.rank)
    if type.dtype.is_float:
        return numbers.uniform(-2, 2, type.sizes(sizes)).astype(type.dtype.numpy)
    return numbers.integers(0, 2, type.sizes(sizes)).astype(type.dtype.numpy)
