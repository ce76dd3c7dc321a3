"""One training, run in all ways.

Compared with the plain interpreter are, for a training step with its gradients: every pass alone, all passes, passes in random order
(`ways`), and the compiled step at the planned batch size, and a smaller or a larger one; for evaluation, prediction and the network alone: the
compiled graphs. Gradients are compared with differences of the loss (`slope`). The part of the step that computes with whole numbers is
compared bit for bit (`integers`), everything else within a bound that is measured (`rounding`, `compare`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from random import Random
from typing import Any

import numpy as np

from dslc.diagnostics import DataError
from dslc.interpret import bind_dims, interpret
from dslc.ir.graph import Graph
from dslc.ir.types import DType, TensorType
from dslc.ir.verify import verify
from dslc.passes.differentiate import differentiate
from dslc.passes.drop_dead import drop_dead, losses_only
from dslc.passes.pipeline import optimize
from dslc.plan import make_plan
from dslc.plan_check import check_plan
from dslc.program import Program
from runtime.device import get_device
from runtime.onestep import OneStep
from runtime.runner import Runner
from runtime.step import compile_step
from tests.passes.plan_runner import run_plan
from tests.reliability.campaign import Tally
from tests.soundness import census
from tests.soundness.compare import Differs, compare, says_nothing
from tests.soundness.integers import opened
from tests.soundness.rounding import Reference
from tests.soundness.slope import check_slope
from tests.soundness.specs import SYMBOLS, Spec
from tests.soundness.ways import differentiated, gradients, rewritten

Arrays = Mapping[str, Any]
SEED = 1
PLANNED, OTHERS = (0, 3), ((2, 3), (3, 7))  # samples: a batch as planned for, a smaller one and a larger one
LAST = (6, 7)  # samples that are evaluated: in batches of one size, and with a smaller batch at the end
WHOLE = (0, 4)  # of the step over whole numbers: means over 4 do not round
SCALES = (1.0, 0.3, 2.0, 0.1)  # of weights and data: attempts to find some with which the results say something


class UnfitData(Exception):
    """The data hold a label or an index that does not fit: every way to run the spec says so."""


def reference_of(graph: Graph, arrays: Arrays) -> Reference | None:
    """What the interpreter says; of what is needed alone, where something else refuses the data; None where that does."""
    for known in (graph, drop_dead(graph)):
        with suppress(DataError):  # a label that is no class, an index that is outside, a window that does not fit
            return Reference(known, arrays)
    return None


def must_refuse(run: Callable[[], object]) -> None:
    """What the interpreter refuses, every other way refuses."""
    try:
        run()
    except DataError:
        return
    raise Differs("the interpreter refuses the data, and a plan takes them")


class Examined:
    """One training, run in all ways; `tally` takes what is seen on the way."""

    def __init__(
        self, program: Program, spec: Spec, tally: Tally, seed: int = 0, device: str = "numpy", threads: int | None = None
    ) -> None:
        self.spec, self.tally, self.seed, self.device = spec, tally, seed, device
        self.data = spec.arrays
        self.rng = Random(seed)
        self.precision = program.precision
        threads = threads or (2 if seed % 8 == 7 else 1)
        self.step = compile_step(program, device=device, batch_size=3, threads=threads, keep_grads=True, seed=SEED)
        self.training = self.step.training
        self.trusted: set[str] = set()  # results of the steps, as the spec says them

    def run(self) -> bool:
        """Whether the loss and a gradient were compared and say something."""
        for number, half in enumerate(self.step.steps.values()):
            self.one_step(half, first=number == 0)
        self.evaluation()
        self.prediction()
        self.forward()
        if self.precision is DType.f64:
            self.whole_numbers(drop_dead(losses_only(self.training.steps[0].graph)))
        return "loss" in self.trusted and any(name.startswith("grad:") for name in self.trusted)

    # ---- what goes in

    def batch(self, start: int, stop: int) -> dict[str, np.ndarray]:
        return {name: array if name in self.spec.whole else array[start:stop] for name, array in self.data.items()}

    def inputs(self, graph: Graph, fields: Arrays, number: int = 0) -> dict[str, np.ndarray]:
        """Arrays for a graph of the training, in its dtypes."""
        found = dict(self.step.parameters())
        for item in graph.inputs:
            if item.kind == "key":
                found[item.name] = np.array([SEED, number, 0])
            if item.kind == "data":
                found[item.name] = fields[item.name.partition(".")[2]].astype(graph.types[item.id].dtype.numpy)
        return found

    def fill(self, graph: Graph) -> None:
        """Weights, states and data with which the loss and a gradient say something, if a few attempts find them."""
        for attempt, scale in enumerate(SCALES):
            self.data = {name: tamed(array, scale) for name, array in self.spec.arrays.items()} if attempt else self.spec.arrays
            numbers = np.random.default_rng((self.seed, attempt))
            self.step.load({name: self.filled(name, array, scale, numbers) for name, array in self.step.parameters().items()})
            try:
                wanted = interpret(graph, np, self.inputs(graph, self.batch(*PLANNED)))
            except DataError:
                return
            if not says_nothing(wanted["loss"]) and any(not says_nothing(wanted[name]) for name in gradients(graph)):
                return

    def filled(self, name: str, array: np.ndarray, scale: float, numbers: np.random.Generator) -> np.ndarray:
        if array.dtype.kind != "f":
            return array
        signs = 1 if any(item.address == name for item in self.training.states) else numbers.choice((-1, 1), array.shape)
        return (signs * numbers.uniform(0.2, 0.9, array.shape) * scale).astype(array.dtype)

    # ---- what is compared

    def one_step(self, half: OneStep, first: bool) -> None:
        """The loss of one step, its gradients and new states, for several batches; between them the update, so that the weights differ."""
        graph = losses_only(half.program.graph)
        wrt = differentiable(graph, half.trained)
        backward = differentiate(graph, "loss", wrt)
        self.fill(backward)
        for number, (start, stop) in enumerate((PLANNED, OTHERS[self.seed % 2]) if first else (PLANNED,)):
            fields = self.batch(start, stop)
            reference = reference_of(backward, self.inputs(backward, fields, number))
            if reference is None:
                must_refuse(partial(half.backward, fields, seed=SEED, step=number, first_sample=0))
                raise UnfitData
            status = half.backward(fields, seed=SEED, step=number, first_sample=0)
            found = {"loss": np.asarray(status.loss, reference.wanted["loss"].dtype)}
            found |= {f"grad:{name}": value for name, value in half.grads().items()}
            found |= {name: self.step.device.to_host(value) for name, value in half.results.items() if name.startswith("update:")}
            self.trusted |= self.compare(f"step {number}", reference, found)
            if number == 0:
                self.rewritten_steps(graph if reference.graph is backward else drop_dead(graph), wrt, reference)
                census.count_forward(half.program.graph, reference.arrays, self.tally)
                census.count_gradient(backward, graph, self.tally)
            elif stop - start == 1:
                self.tally.note("networks with", "a batch of 1")
            if status.finite:
                half.apply(1e-3)

    def rewritten_steps(self, forward: Graph, wrt: tuple[str, ...], reference: Reference) -> None:
        """The gradient graph as passes rewrite it, interpreted; gradients by differences."""
        arrays = reference.arrays
        found = [*rewritten(reference.graph, self.rng)]
        if self.seed % 2:
            found.append(differentiated(forward, "loss", wrt, self.rng))
        for name, graph in found:
            self.trusted |= self.compare(name, reference, interpret(graph, np, arrays))
        if not self.training.weights:
            self.trusted |= self.compare("the plan", reference, self.planned(reference.graph, arrays))
        if self.precision is DType.f64:
            self.tally.note("slopes", check_slope(forward, wrt, reference))

    def evaluation(self) -> None:
        """Over batches, as over the whole split at once."""
        graph, last = self.training.evaluate, LAST[self.seed // 2 % 2]
        batches = [self.batch(start, min(start + 3, last)) for start in range(0, last, 3)]
        reference = reference_of(graph, self.inputs(graph, self.batch(0, last)))
        if reference is None:
            must_refuse(partial(self.step.evaluate, batches))
            return
        with np.errstate(over="ignore"):  # means are in float64
            found = {name: np.asarray(value, reference.wanted[name].dtype) for name, value in self.step.evaluate(batches).items()}
        self.compare("evaluation", reference, found)
        for name, other in rewritten(reference.graph, self.rng, alone=False) if self.seed % 2 == 0 else ():
            self.compare(f"evaluation, {name}", reference, interpret(other, np, reference.arrays))

    def prediction(self) -> None:
        graph, fields = self.training.predict, self.batch(2, 5)
        self.same("prediction", graph, self.inputs(graph, fields), partial(self.step.predict, fields))

    def forward(self) -> None:
        network = self.step.network()
        given = {port.name: drawn(port.type) for port in network.inputs}
        keys = {item.name: np.array([SEED, 0, 0]) for item in network.evaluate.inputs if item.kind == "key"}
        self.same("forward", network.evaluate, {**given, **self.step.parameters(), **keys}, partial(self.step.forward, **given))

    def same(self, what: str, graph: Graph, arrays: Arrays, run: Callable[[], Arrays]) -> None:
        """What `run` computes, or refuses."""
        reference = reference_of(graph, arrays)
        if reference is None:
            must_refuse(run)
        else:
            self.compare(what, reference, run())

    def over_whole_numbers(self, graph: Graph) -> Reference | None:
        """What computes with whole numbers, with its gradients; None where an index that is computed lies outside with these numbers."""
        try:
            graph, arrays = opened(graph, self.inputs(graph, self.batch(*WHOLE)), self.seed)
        except DataError:
            return None
        verify(graph)
        return Reference(differentiate(graph, "loss", differentiable(graph)), arrays)

    def whole_numbers(self, graph: Graph) -> None:
        """What computes with whole numbers, with its gradients: equal in every bit."""
        reference = self.over_whole_numbers(graph)
        if reference is None:
            return
        graph, arrays = reference.graph, reference.arrays
        trusted = self.compare("the plan over whole numbers", reference, self.planned(graph, arrays))
        plan = make_plan(optimize(graph), bind_dims(graph, arrays), contiguous=gradients(graph))
        check_plan(plan)
        trusted |= self.compare("the plan over rubbish", reference, run_plan(plan, {name: array.copy() for name, array in arrays.items()}))
        for name, other in rewritten(graph, self.rng, alone=False):
            trusted |= self.compare(f"{name} over whole numbers", reference, interpret(other, np, arrays))
        for node in graph.nodes:
            if reference.exact.issuperset(node.outputs):
                self.tally.note("operators over whole numbers", node.op)
        if any(reference.is_exact(name) for name in trusted if name.startswith("grad:")):
            self.tally.count("with gradients over whole numbers")

    def planned(self, graph: Graph, arrays: Arrays) -> Arrays:
        """What a plan of this graph computes on the device."""
        runner = Runner(optimize(graph), get_device(self.device), bind_dims(graph, arrays), {}, None, gradients(graph))
        keys = {item.name for item in graph.inputs if item.kind == "key"}
        found = runner.run({name: array for name, array in arrays.items() if name not in keys}, (SEED, 0, 0))
        return {name: runner.device.to_host(value) for name, value in found.items()}

    def compare(self, what: str, reference: Reference, found: Arrays) -> set[str]:
        return compare(what, reference, found, self.tally)


def tamed(array: np.ndarray, scale: float) -> np.ndarray:
    """Data of another scale: floats; of whole numbers those that mean pixels lose their high bits."""
    return (array * scale).astype(array.dtype) if array.dtype.kind == "f" else array % 16 if array.dtype == np.uint8 else array


def differentiable(graph: Graph, trained: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The weights that are trained, and every other input of floats: a network without weights has gradients too."""
    others = [item for item in graph.inputs if item.kind in ("data", "weight") and item.name not in trained]
    return (*trained, *(item.name for item in others if graph.types[item.id].dtype.is_float))


def drawn(type: TensorType) -> np.ndarray:
    """An array for an input of a network: two samples, open sizes as in the data."""
    sizes = {**dict.fromkeys(type.names, 6), **SYMBOLS, "batch": 2}
    numbers = np.random.default_rng(type.rank)
    if type.dtype.is_float:
        return numbers.uniform(-2, 2, type.sizes(sizes)).astype(type.dtype.numpy)
    return numbers.integers(0, 2, type.sizes(sizes)).astype(type.dtype.numpy)
