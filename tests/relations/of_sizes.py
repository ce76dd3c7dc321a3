"""Relations of sizes: what is known before anything runs is what is found when it runs (relations 20, 21 and 22)."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

import numpy as np

from dslc.diagnostics import DataError, DivergedError
from dslc.interpret import interpret
from dslc.ir.graph import Graph, Node
from dslc.passes.differentiate import differentiate
from dslc.passes.drop_dead import drop_dead
from dslc.passes.pipeline import optimize
from dslc.plan_check import check_plan
from dslc.show import make_summary, parameter_count
from tests.relations.loops import multiply_adds
from tests.relations.meaning import graphs_of
from tests.relations.subject import SEED, Subject, drawn, initial

SHAPES = ("shape", "axis", "axes", "size ", "broadcast", "dimension")  # words of errors that the check should have found
MOST_WORK = 20_000  # multiply-adds that are counted one by one


def counts(subject: Subject, rng: Random) -> bool:
    """Parameters and multiply-adds of the layer table are those that are there, and the arena is as large as its plan says."""
    for network in subject.program.networks.values():
        weights = initial(network)
        there = sum(weights[item.address].size for item in network.weights)
        assert parameter_count(network) == make_summary(network).parameters == there
        sizes = dict.fromkeys(network.evaluate.dims, 3) | {"batch": 1}
        said = make_summary(network).macs.evaluate(sizes)
        if said <= MOST_WORK:
            counted = multiply_adds(drop_dead(network.evaluate), sizes)
            assert said == counted, f"{network.name}: {said} multiply-adds are said, {counted} are counted"
    for half in subject.compile(rng.choice((1, 3, 5))).steps.values():
        plan = half.runner.executor.plan
        check_plan(plan)
        assert half.runner.executor.arena.nbytes == plan.arena_bytes >= plan.peak.bytes
    return True


def shapes(subject: Subject, rng: Random) -> bool:
    """Every value of every graph has the shape and dtype that was inferred, at several sizes of the open axes."""
    program = subject.program
    for item in (*program.networks.values(), *program.trainings.values()):
        arrays = initial(item)
        found = list(graphs_of(item).values())
        for step in getattr(item, "steps", ()):
            whole = differentiate(step.graph, "loss", step.trains)
            found += [whole, optimize(whole)]
        for graph in found:
            for batch in rng.sample((1, 2, 3, 7), 2):
                run_at(graph, arrays, {name: rng.randint(1, 6) for name in graph.dims} | {"batch": batch}, rng)
    return True


def run_at(graph: Graph, parameters: Mapping[str, np.ndarray], sizes: Mapping[str, int], rng: Random) -> None:
    arrays = {item.name: parameters.get(item.name, np.array([SEED, 0, 0])) for item in graph.inputs}
    arrays |= {
        item.name: drawn(graph.types[item.id], rng, sizes["batch"], sizes) for item in graph.inputs if item.kind in ("input", "data")
    }

    def look(node: Node, results: object) -> None:
        for id, result in zip(node.outputs, results, strict=True):  # type: ignore[call-overload]
            type = graph.types[id]
            wanted = type.sizes(sizes), type.dtype.numpy
            assert (result.shape, str(result.dtype)) == wanted, (
                f"{node.address}: {result.dtype}{result.shape} at {dict(sizes)}, not {wanted}"
            )

    try:
        interpret(graph, np, arrays, look, dims=sizes)
    except DataError as error:
        refuse_shapes(error)


def one_step(subject: Subject, rng: Random) -> bool:
    """An accepted spec trains, evaluates and predicts at any batch size; only the numbers in the data can be wrong."""
    step = subject.compile(rng.choice((1, 2, 3, 5)))
    for size in rng.sample((1, 2, 3, 5, 7), 3):
        fields = subject.batch(0, size)
        read = {item.name.partition(".")[2] for item in subject.training.predict.inputs if item.kind == "data"}
        for run in (
            lambda fields=fields: step.train(**fields),
            lambda fields=fields: step.evaluate([fields, fields]),
            lambda fields=fields, read=read: step.predict({name: array for name, array in fields.items() if name in read}),
        ):
            try:
                run()
            except DivergedError:
                return False
            except DataError as error:
                refuse_shapes(error)
                return False
    return True


def refuse_shapes(error: DataError) -> None:
    """An array cannot be of a wrong shape here. A window that does not fit into a small open size is found when it runs."""
    text = str(error)
    if "too small" not in text and any(word in text for word in SHAPES):
        raise AssertionError(f"a shape is wrong in an accepted spec: {text}") from error
