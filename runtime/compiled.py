"""What is compiled once for a training or a network: its memory, and the graphs that only run forward."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np

from dslc.ir.graph import Graph
from dslc.ir.types import Dim
from dslc.ops.table import lookup
from dslc.passes.accumulate import Accumulation, accumulate
from dslc.passes.pipeline import optimize
from dslc.passes.share import share
from dslc.program import Network, Program, Training
from runtime.arena import Pool
from runtime.device import get_device
from runtime.joined import join
from runtime.parameters import Parameters
from runtime.runner import Runner, fields_of, refuse_unknown
from runtime.workers import Workers, default_threads

Arrays = dict[str, np.ndarray]
Fields = Mapping[str, Any]


class Compiled:
    """Weights, states and evaluation of a training. Arrays come and go by copy; `parameters()` and `load()` know them by address."""

    training: Training

    def __init__(
        self, program: Program, parameters: Parameters, network: Network, *, batch_size: int, seed: int, workers: Workers | None
    ) -> None:
        self.program, self.memory, self.chosen = program, parameters, network
        self.device = parameters.device
        self.seed, self.batch_size, self.workers = seed, batch_size, workers
        self.pool = Pool(self.device)
        self.runners: dict[str, Runner] = {}
        self.rules: Mapping[str, Mapping[str, Any]] = {}

    def runner(self, graph: Graph, contiguous: Sequence[str] = (), batch: int | None = None) -> Runner:
        return Runner(graph, self.device, {"batch": batch or self.batch_size}, self.memory.arrays, self.workers, contiguous, self.pool)

    def cached(self, name: str, graph: Graph, batch: int | None = None) -> Runner:
        """The runner of an evaluation graph, made when first needed, for this batch size where it is not that of the step."""
        if name not in self.runners:
            self.runners[name] = self.runner(optimize(graph), batch=batch)
        return self.runners[name]

    # ---- parameters -------------------------------------------------------------------------------------------------------------

    def parameters(self) -> Arrays:
        """Copies of all weights and states, by address."""
        return self.memory.copies()

    def load(self, mapping: Mapping[str, Any]) -> None:
        """Set weights and states by address; those that are not named stay. Raises DataError for a wrong address, shape or dtype."""
        self.memory.load(mapping)

    # ---- evaluation -------------------------------------------------------------------------------------------------------------

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """With `ema` the averaged weights stand in place of the weights meanwhile."""
        yield

    def network(self) -> Network:
        return self.chosen

    def forward(self, **network_inputs: Any) -> Arrays:
        """Outputs of the (first) network in its evaluation phase."""
        return self.forward_of(self.network(), network_inputs)

    def forward_of(self, network: Network, inputs: Fields) -> Arrays:
        """Outputs of a network in its evaluation phase, by its own inputs."""
        refuse_unknown(inputs, [port.name for port in network.inputs])
        runner = self.cached(f"forward {network.name}", network.evaluate)
        given = {port.name: port.default for port in network.inputs if port.default is not None} | dict(inputs)
        return self.hosted(runner.run(self.data(runner.graph, given), (self.seed, 0, 0)))

    def predict(self, fields: Fields) -> Arrays:
        """Outputs of the network called in `train` for a batch of data fields."""
        refuse_unknown(fields, field_names(self.training))
        runner = self.cached("predict", self.training.predict)
        return self.hosted(runner.run(self.data(runner.graph, fields), (self.seed, 0, 0)))

    @cached_property
    def parts(self) -> Accumulation:
        """What one batch gives to an evaluation, and how it ends; equal values of several metrics are joined once."""
        return accumulate(share(self.training.evaluate))

    def bind_evaluation(self, samples: int) -> None:
        """Plan and bind an evaluation of so many samples before it is needed; where other sizes are open, its first batch does."""
        self.cached("evaluate", self.parts.batch, min(samples, self.batch_size))

    def evaluate(self, batches: Iterable[Fields]) -> dict[str, Any]:
        """Loss and metrics over all batches, as if they were one."""
        runner = self.cached("evaluate", self.parts.batch)
        return join(self.parts, (self.hosted(results) for results in self.counted(runner, batches)))

    def counted(self, runner: Runner, batches: Iterable[Fields]) -> Iterator[dict[str, Any]]:
        """Results of batch after batch; draws count the samples of all, so that they are those of one batch (R23)."""
        first = 0
        for fields in batches:
            data = self.data(runner.graph, fields)
            yield runner.run(data, (self.seed, 0, first))
            first += samples(runner.graph, data)

    def hosted(self, results: Mapping[str, Any]) -> Arrays:
        return {name: self.device.to_host(value) for name, value in results.items() if not name.startswith("update:")}

    def data(self, graph: Graph, fields: Fields) -> Arrays:
        return fields_of(graph, fields, self.memory.arrays)


def field_names(training: Training) -> list[str]:
    """What data fields may be called: `image`, and in full `data.image`."""
    graphs = (*(step.graph for step in training.steps), training.evaluate, training.predict)
    long = [f"{source.variable}.{field}" for source in training.data for field in source.fields]
    long += [item.name for graph in graphs for item in graph.inputs if item.kind in ("data", "input")]
    return list(dict.fromkeys([*(name.rpartition(".")[2] for name in long), *long]))


def samples(graph: Graph, data: Mapping[str, Any]) -> int:
    """The number of samples in the data of a graph; 0 where nothing has the axis `batch`."""
    types = {item.name: graph.types[item.id] for item in graph.inputs}
    return next((len(array) for name, array in data.items() if types[name].rank and types[name].shape[0] == Dim.of("batch")), 0)


def workers_of(device: str, threads: int | None) -> Workers | None:
    return Workers(threads or default_threads()) if get_device(device).threaded else None


def signature_only(graphs: Iterable[Graph]) -> dict[str, str]:
    """Operators that stand by their signature, with the place of their first use."""
    found: dict[str, str] = {}
    for graph in graphs:
        for node in graph.nodes:
            if node.body is not None or lookup(node.op).eval is None:
                found.setdefault(node.op, node.place or node.address)
    return found
