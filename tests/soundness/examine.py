"""What must hold of a spec: it is refused with diagnostics, or it runs and every way to run it computes what the interpreter computes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dslc.diagnostics import DataError, SpecError
from dslc.interpret import interpret
from dslc.ir.graph import Graph
from dslc.ir.types import DType
from dslc.loading import check_source
from dslc.passes.differentiate import differentiate
from dslc.passes.pipeline import optimize
from dslc.program import Program, Training
from dslc.source import Source
from dslc.syntax.format import format_source
from exporters.onnx.export import export_network
from exporters.onnx.lower import why_not
from runtime.step import Step, compile_step
from tests.soundness.specs import SAMPLES, SYMBOLS, Spec

Arrays = Mapping[str, Any]
TOLERANCE = 1e-7


def source(text: str) -> Source:
    return Source("spec.nn", text)


def write(spec: Spec, folder: Path) -> None:
    np.savez(folder / "data.npz", **spec.arrays)


def examine(spec: Spec, folder: Path, *, export: bool) -> bool:
    """Whether the spec was accepted. Raises AssertionError where something does not hold."""
    write(spec, folder)
    program, found = check_source(source(spec.text), folder=folder, precision=DType.f64)
    if program is None:
        assert any(item.severity == "error" for item in found)
        return False
    same_program(spec.text, folder, program)
    Examined(program, spec).run()
    if export:
        exported(program)
    return True


def same_program(text: str, folder: Path, program: Program) -> None:
    """The formatted text is a fixed point and means the same."""
    formatted = format_source(source(text))
    assert format_source(source(formatted)) == formatted
    again, _ = check_source(source(formatted), folder=folder, precision=DType.f64)
    assert again is not None
    assert unplaced(again) == unplaced(program), "the formatted text is another program"


def unplaced(program: Program) -> str:
    import re

    return re.sub(r'"place":"[^"]*"', "", program.model_dump_json())


@dataclass
class Examined:
    program: Program
    spec: Spec
    training: Training = field(init=False)
    step: Step = field(init=False)

    def run(self) -> None:
        if not self.program.trainings:
            return
        self.step = compile_step(self.program, batch_size=3, threads=2, keep_grads=True, seed=1)
        self.training = self.step.training
        for number, (start, stop) in enumerate(((0, 3), (0, 1), (3, 7), (5, 7))):
            self.steps_equal_the_interpreter(number, self.batch(start, stop))
        self.evaluation_is_exact()
        self.forward_equals_the_interpreter()

    def batch(self, start: int, stop: int) -> dict[str, np.ndarray]:
        return {name: array if name in self.spec.whole else array[start:stop] for name, array in self.spec.arrays.items()}

    def inputs(self, graph: Graph, fields: Arrays) -> dict[str, np.ndarray]:
        """Arrays for a graph of the training, in its dtypes."""
        found = dict(self.step.parameters())
        for item in graph.inputs:
            if item.kind == "data":
                found[item.name] = fields[item.name.partition(".")[2]].astype(graph.types[item.id].dtype.numpy)
        return found

    def steps_equal_the_interpreter(self, number: int, fields: dict[str, np.ndarray]) -> None:
        program = self.training.steps[0]
        graph = differentiate(program.graph, "loss", program.trains)
        arrays = self.inputs(graph, fields)
        keyed = {item.name: np.array([1, number, 0], np.int64) for item in graph.inputs if item.kind == "key"}
        status = self.step.backward(fields, seed=1, step=number, first_sample=0)
        found = {"loss": np.asarray(status.loss), **{f"grad:{name}": value for name, value in self.step.grads().items()}}
        found |= {name: np.array(value) for name, value in self.step.results.items() if name.startswith("update:")}
        unoptimised = self.compare(f"step {number}", graph, arrays, keyed, found)
        self.compare(f"optimised {number}", graph, arrays, keyed, interpret(optimize(graph), np, arrays | keyed), unoptimised)
        if status.finite:
            before = self.step.parameters()
            self.step.apply(1e-3, 1.0)
            after = self.step.parameters()
            assert all(np.isfinite(after[name]).all() for name in after if np.isfinite(before[name]).all())

    def compare(self, what: str, graph: Graph, arrays: Arrays, keyed: Arrays, found: Arrays, wanted: Arrays | None = None) -> Arrays:
        wanted = wanted or interpret(graph, np, {**arrays, **keyed})
        differing = [name for name in found if not alike(found[name], wanted[name])]
        if differing and not shaky(graph, arrays, keyed, wanted, differing):
            name = differing[0]
            raise AssertionError(f"{what}: {name} is\n{found[name]}\ninstead of\n{wanted[name]}")
        return wanted

    def evaluation_is_exact(self) -> None:
        fields = self.batch(0, SAMPLES)
        graph = self.training.evaluate
        found = self.step.evaluate([self.batch(start, min(start + 3, SAMPLES)) for start in range(0, SAMPLES, 3)])
        wanted = interpret(graph, np, self.inputs(graph, fields))
        typed = {name: np.asarray(value, wanted[name].dtype) for name, value in found.items()}
        self.compare("evaluation", graph, self.inputs(graph, fields), {}, typed)

    def forward_equals_the_interpreter(self) -> None:
        graph = self.training.predict
        fields = self.batch(2, 5)
        predicted = self.step.predict(fields)
        self.compare("prediction", graph, self.inputs(graph, fields), {}, predicted)
        network = self.step.network()
        arrays = {port.name: drawn(port.type, {**SYMBOLS, "batch": 2}) for port in network.inputs}
        try:
            found = self.step.forward(**arrays)
        except DataError as error:  # a window that does not fit into an open size
            assert "too small" in str(error) or "no input shows" in str(error)
            return
        self.compare("forward", network.evaluate, {**self.step.parameters(), **arrays}, {}, found)


def drawn(type: Any, sizes: dict[str, int]) -> np.ndarray:
    """An array for an input of a network; other open sizes are 6."""
    shape = type.sizes({name: sizes.get(name, 6) for name in type.names})
    numbers = np.random.default_rng(len(shape))
    if type.dtype.is_float:
        return numbers.uniform(-2, 2, shape).astype(type.dtype.numpy)
    return numbers.integers(0, 2, shape).astype(type.dtype.numpy)


def alike(found: Any, wanted: Any) -> bool:
    a, b = np.asarray(found), np.asarray(wanted)
    assert a.shape == b.shape and a.dtype == b.dtype, f"{a.dtype}{a.shape} instead of {b.dtype}{b.shape}"
    if a.dtype.kind != "f":
        return bool((a == b).all())
    finite = np.abs(b[np.isfinite(b)])
    return bool(np.allclose(a, b, rtol=TOLERANCE, atol=TOLERANCE * max(1.0, finite.max() if finite.size else 0.0), equal_nan=True))


def shaky(graph: Graph, arrays: Arrays, keyed: Arrays, wanted: Arrays, names: list[str]) -> bool:
    """Whether these results jump when every input moves by parts in 10¹³, as at a kink: then no two ways to compute them agree."""
    numbers = np.random.default_rng(0)
    for _ in range(6):
        moved = {
            name: array * (1 + 1e-13 * numbers.uniform(-1, 1, array.shape)) if array.dtype.kind == "f" else array
            for name, array in arrays.items()
        }
        found = interpret(graph, np, {**moved, **keyed})
        if not all(alike(found[name], wanted[name]) for name in names):
            return True
    return False


def exported(program: Program) -> None:
    """Networks of exportable operators pass all checks of the export."""
    for network in program.networks.values():
        if any(why_not(node.op) for node in network.evaluate.nodes):
            continue
        numbers = np.random.default_rng(0)
        parameters = {item.address: numbers.uniform(0.1, 0.9, item.type.sizes({})).astype(item.type.dtype.numpy)
                      for item in (*network.weights, *network.states)}  # fmt: skip
        try:
            export_network(network, parameters, None)
        except SpecError as error:
            assert any(words in str(error) for words in ("a stride above its kernel", "with `ceil`"))
