"""Graphs of a random spec as ONNX models: its networks, and the gradient of a training step, as exports lower them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dslc.diagnostics import SpecError
from dslc.ir.graph import Graph, Node, Output
from dslc.ir.types import tensor
from dslc.ops.table import lookup
from dslc.passes.differentiate import differentiate
from dslc.passes.drop_dead import drop_dead, losses_only
from dslc.passes.pipeline import optimize
from dslc.passes.rewrite import resume
from dslc.program import Network, Program
from exporters.onnx.check import Subject
from exporters.onnx.draws import DRAWN, OLDEST, Draws
from exporters.onnx.export import make_subject
from exporters.onnx.functions import extract
from exporters.onnx.lower import lower, why_not
from exporters.onnx.sizes import fits, grid, inputs_for
from tests.soundness.fields import SYMBOLS
from tests.soundness.rounding import BASIC, UNIT, UNITS, Reference, moved
from tests.soundness.runs import differentiable
from tests.soundness.specs import Spec

SEED, STEP = 1, 3  # of draws
SCALES = (1.0, 0.3, 2.0)  # of weights
BATCHES = (1, 2, 3)
REFUSALS = ("stride above its kernel", "with `ceil`", "a dilation", "fixed sizes", "opset")  # what an export may say of a graph
ABSOLUTE = {"onnxruntime": frozenset(["sigmoid"])}  # 1.32.0: off by two roundings of 1 at most, and 0 below -18
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Model:
    """graph: what the interpreter runs with `arrays`; subject: the model, which reads those of its inputs."""

    what: str
    graph: Graph
    subject: Subject
    arrays: Arrays


@dataclass(frozen=True)
class Refused:
    """A graph that has no model: one line says why."""

    what: str
    reason: str


@dataclass(frozen=True)
class Options:
    """How the models of a case are written: opset, a function for each block or none, normalisations folded or not."""

    case: int

    @property
    def opset(self) -> int:
        return 13 + self.case % 16

    @property
    def flat(self) -> bool:
        return self.case % 3 == 0

    @property
    def fold(self) -> bool:
        return self.case // 3 % 3 == 0

    def text(self) -> list[str]:
        return [f"opset {self.opset}", "flat" if self.flat else "functions", "folded" if self.fold else "not folded"]


class Composed(Reference):
    """What one backend may do to functions besides rounding them: some are right to roundings of 1, not of themselves.

    These are the functions that are made of others, as x - tanh(x), and what `ABSOLUTE` says of the backend.
    """

    def __init__(self, graph: Graph, arrays: Mapping[str, Any], backend: str) -> None:
        super().__init__(graph, arrays)
        self.absolute = ABSOLUTE.get(backend, frozenset())

    def rounded(self, node: Node, value: Any, numbers: np.random.Generator) -> Any:
        value = super().rounded(node, value, numbers)
        if value.dtype not in UNIT or node.op in BASIC or not (made_of_others(node.op) or node.op in self.absolute):
            return value
        return value + moved(np.ones_like(value), UNITS, numbers) - np.ones_like(value)


def made_of_others(op: str) -> bool:
    row = lookup(op)
    return row.kind in ("elementwise", "loss") and row.onnx == "lower"


def models(program: Program, spec: Spec, options: Options) -> Iterator[Model | Refused]:
    """Every network, then the gradient of a step."""
    for network in program.networks.values():
        yield from guarded(f"network {network.name}", lambda what, network=network: network_model(what, network, options))
    for training in program.trainings.values():
        yield from guarded("gradient", lambda what, training=training: gradient_model(what, training, spec, options))


def guarded(what: str, make: Any) -> Iterator[Model | Refused]:
    """The model, or why an export says that there is none."""
    try:
        yield make(what)
    except SpecError as error:
        reason = next((words for words in REFUSALS if words in str(error)), None)
        if reason is None:
            raise
        yield Refused(what, reason)


# ---- networks -------------------------------------------------------------------------------------------------------------------------


def network_model(what: str, network: Network, options: Options) -> Model | Refused:
    graph = exportable(network.evaluate)
    sizes = chosen_sizes(graph, options)
    if not graph.outputs or sizes is None:
        return Refused(what, "no operator with a form" if not graph.outputs else "no sizes that fit")
    items = [*network.weights, *network.states]
    numbers = np.random.default_rng(options.case)
    positive = {item.address for item in network.states}
    weights = {
        item.address: filled(item.type.sizes({}), item.type.dtype.numpy, item.address in positive, numbers, options) for item in items
    }
    subject, _, _ = make_subject(network.model_copy(update={"evaluate": graph}), weights, opset=options.opset, fold=options.fold)
    if not options.flat and extract(subject.model, network.layers, subject.outside)[0]:
        subject = replace(subject)  # its bytes are made anew
    given = inputs_for(graph, sizes)
    return Model(what, subject.definition, subject, {**weights, **given, "key": np.zeros(3, np.int64)})


def exportable(graph: Graph, more: Collection[str] = ()) -> Graph:
    """The outputs that need no operator without a form; `more`: operators that have one here."""
    lost: set[int] = set()
    for node in graph.nodes:
        if (node.op not in more and why_not(node.op)) or lost.intersection(node.inputs):
            lost.update(node.outputs)
    kept = tuple(item for item in graph.outputs if item.id not in lost)
    return drop_dead(graph.model_copy(update={"outputs": kept, "updates": ()}))


def chosen_sizes(graph: Graph, options: Options) -> Mapping[str, int] | None:
    """Sizes that the graph takes: those of the data, else the smallest."""
    sizes = {**dict.fromkeys(graph.dims, 4), **SYMBOLS, "batch": BATCHES[options.case % 3]}
    return sizes if fits(graph, sizes) else next(iter(grid(graph)), None)


def filled(shape: Sequence[int], dtype: str, positive: bool, numbers: np.random.Generator, options: Options) -> np.ndarray:
    """Numbers of a weight or a state: away from zero."""
    signs = 1 if positive else numbers.choice((-1, 1), shape)
    return np.asarray(signs * numbers.uniform(0.2, 0.9, shape) * SCALES[options.case % 3]).astype(dtype)


# ---- gradients ------------------------------------------------------------------------------------------------------------------------


def gradient_model(what: str, training: Any, spec: Spec, options: Options) -> Model | Refused:
    """Losses, gradients to weights and to data, and new states of one step; all that it reads is an input, as in `--train-step`."""
    step = training.steps[options.case % len(training.steps)]
    losses = drop_dead(losses_only(step.graph))
    backward = differentiate(losses, "loss", differentiable(losses, step.trains))
    states = tuple(Output(name=f"{item.name}.next", id=item.id) for item in backward.updates)
    backward = exportable(backward.model_copy(update={"outputs": (*backward.outputs, *states)}), DRAWN if options.opset >= OLDEST else ())
    if not backward.outputs:
        return Refused(what, "no operator with a form")
    arrays = step_arrays(training, backward, spec, options)
    graph = fed(backward)
    draws = Draws(SEED, 1, 0, 1)
    optimised = optimize(graph).model_copy(update={"name": "step"})
    model, writer, _ = lower(optimised, {}, {}, options.opset, draws.lowerings())
    subject = Subject(
        model=model, definition=graph, graph=optimised, names=writer.names, types=writer.known, parameters={}, outside=frozenset(writer.hoisted)
    )  # fmt: skip
    return Model(what, graph, subject, {**arrays, "t": np.array(STEP, np.int64), "key": np.array([SEED, draws.number(STEP), 0])})


def fed(graph: Graph) -> Graph:
    """With weights, states and data as plain inputs, and the number of the step beside them."""
    builder = resume(graph)
    builder.input("input", "t", tensor("i64"))
    builder.inputs = [item if item.kind == "key" else item.model_copy(update={"kind": "input"}) for item in builder.inputs]
    return builder.build()


def step_arrays(training: Any, graph: Graph, spec: Spec, options: Options) -> Arrays:
    """Weights, states and a batch for the graph of a step."""
    numbers = np.random.default_rng(options.case)
    positive = {item.address for item in training.states}
    batch = BATCHES[options.case % 3]
    found: Arrays = {}
    for item in graph.inputs:
        type = graph.types[item.id]
        if item.kind == "data":
            name = item.name.partition(".")[2]
            array = spec.arrays[name]
            found[item.name] = (array if name in spec.whole else array[:batch]).astype(type.dtype.numpy)
        elif item.kind != "key":
            found[item.name] = filled(type.sizes({}), type.dtype.numpy, item.name in positive, numbers, options)
    return found
