"""Relations of values: what a changed network computes follows from what the network computes (relations 4, 5, 6, 9, 12 and 13)."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

import numpy as np

from dslc.ir.graph import Graph
from dslc.ir.types import Dim
from dslc.ir.verify import verify
from dslc.passes.differentiate import differentiate
from dslc.passes.drop_dead import drop_dead
from dslc.passes.mixing import mixing
from dslc.passes.pipeline import PASSES
from runtime.forward import compile_forward
from tests.relations import insert
from tests.relations.numeric import agree, bounds, equal, identical, telling, values, within
from tests.relations.subject import SEED, Arrays, Refused, Subject, drawn, initial

BATCH = Dim.of("batch")
SAMPLES = 6
FACTORS = ("2.0", "0.25", "1024.0", "0.0078125")


def step_graph(subject: Subject) -> Graph:
    """Loss and gradients of the first step."""
    step = subject.training.steps[0]
    return differentiate(step.graph, "loss", step.trains)


def arrays_of(subject: Subject, graph: Graph) -> Arrays:
    return subject.inputs(graph, initial(subject.training), subject.batch(0, 3))


def compiled_results(subject: Subject) -> Arrays:
    """Loss, gradients and new states of the first step, as it is compiled."""
    step = next(iter(subject.compile().steps.values()))
    status = step.backward(subject.batch(0, 3), seed=SEED, step=0, first_sample=0)
    found = {f"grad:{name}": value for name, value in step.grads().items()}
    found |= {name: np.array(value) for name, value in step.results.items() if name.startswith("update:")}
    return found | {"loss": np.asarray(status.loss, step.results["loss"].dtype)}


def any_passes(subject: Subject, rng: Random) -> bool:
    """Any passes, in any order and number, keep what a graph computes, gradients included."""
    graph = rng.choice([step_graph(subject), step_graph(subject), subject.training.evaluate, subject.training.predict])
    arrays = arrays_of(subject, graph)
    wanted = values(graph, arrays)
    changed = graph
    for run in rng.choices(sorted(set(PASSES), key=lambda item: item.__name__), k=rng.randint(1, 6)):
        changed = run(changed)
        verify(changed)
    found = values(changed, arrays)
    assert list(found) == list(wanted), "other results"
    telling(wanted)
    agree(graph, arrays, found, wanted)
    return True


def identity_inserted(subject: Subject, rng: Random) -> bool:
    """An identity behind a value changes no number in the definition, and none beyond rounding in the compiled step."""
    found = insert.with_identity(subject.text, rng)
    if found is None:
        return False
    other = subject.other(found[0])
    try:
        graph = step_graph(other)
    except Refused:  # the value has another dtype or rank
        return False
    wanted_graph = step_graph(subject)
    arrays = arrays_of(subject, wanted_graph)
    wanted = values(wanted_graph, arrays)
    equal(values(graph, arrays), wanted)
    telling(wanted)
    agree(wanted_graph, arrays, compiled_results(other), wanted)
    return True


def output_added(subject: Subject, rng: Random) -> bool:
    """One more output changes no other result by a bit."""
    text = insert.with_output(subject.text, rng)
    if text is None:
        return False
    other = subject.other(text)
    try:
        results = [compiled_results(item) for item in (subject, other)]
    except Refused:  # the value cannot be stacked
        return False
    identical(results[1], results[0])
    return True


def loss_scaled(subject: Subject, rng: Random) -> bool:
    """The loss times a power of two has gradients times just that, bit for bit: in the definition and in the compiled step."""
    if not subject.training.steps[0].trains:
        return False
    factor = rng.choice(FACTORS)
    other = subject.other(insert.with_losses_scaled(subject.text, factor))
    graphs = [step_graph(item) for item in (subject, other)]
    arrays = arrays_of(subject, graphs[0])
    wanted, found = [values(graph, arrays) for graph in graphs]
    telling({name: value for name, value in wanted.items() if name.startswith("grad:")})
    identical(found, times(wanted, float(factor)))
    plain, scaled = [compiled_results(item) for item in (subject, other)]
    identical(scaled, times(plain, float(factor)))
    return True


def times(results: Mapping[str, np.ndarray], factor: float) -> Arrays:
    """Losses and gradients times a number."""
    scaled = ("loss", "grad:")
    return {
        name: np.asarray(value * np.asarray(factor, value.dtype) if name.startswith(scaled) else value) for name, value in results.items()
    }


def losses_added(subject: Subject, rng: Random) -> bool:
    """The gradient of a sum of losses is the sum of their gradients."""
    other = subject.other(insert.with_losses_named(subject.text))
    step = other.training.steps[0]
    if len(step.losses) < 2 or not step.trains:
        return False
    whole = step_graph(other)
    arrays = arrays_of(subject, whole)
    wanted = {name: value for name, value in values(whole, arrays).items() if name.startswith("grad:")}
    telling(wanted)
    parts = [values(differentiate(step.graph, f"loss.{name}", step.trains), arrays) for name in step.losses]
    found = {name: np.asarray(sum(part[name] for part in parts), value.dtype) for name, value in wanted.items()}
    agree(whole, arrays, found, wanted)
    return True


def parts_accumulated(subject: Subject, rng: Random) -> bool:
    """Accumulated gradients are the sum of those of the parts by their samples; a part reads the states that the one before it left.

    Draws count the samples of the whole batch.
    """
    other = subject.other(insert.with_setting(subject.text, "accumulate", "2"))
    half = next(iter(other.compile(SAMPLES).steps.values()))
    cut = rng.randint(1, SAMPLES - 1)
    batches = [(subject.batch(start, stop), stop - start) for start, stop in ((0, cut), (cut, SAMPLES))]
    status = half.backward_parts(batches, seed=SEED, step=0)
    if not status.finite:
        return False
    found = {f"grad:{name}": value for name, value in half.grads().items()}
    found["loss"] = np.asarray(status.loss, half.results["loss"].dtype)
    graph, parameters = step_graph(other), initial(other.training)
    wanted = {name: np.zeros_like(value) for name, value in found.items()}
    allowed = dict.fromkeys(found, 0.0)
    for number, (fields, count) in enumerate(batches):
        arrays = other.inputs(graph, parameters, fields)
        arrays |= {item.name: np.array([SEED, 0, number * cut]) for item in graph.inputs if item.kind == "key"}
        part = values(graph, arrays)
        share = count / SAMPLES
        wanted = {name: np.asarray(value + share * part[name], value.dtype) for name, value in wanted.items()}
        allowed = {name: allowed[name] + share * bound for name, bound in bounds(graph, arrays, part, found).items()}
        parameters |= {name.removeprefix("update:"): value for name, value in part.items() if name.startswith("update:")}
    within(found, wanted, allowed)
    return True


# ---- samples ----------------------------------------------------------------------------------------------------------------------------


def samples_alone(subject: Subject, rng: Random) -> bool:
    """Where no operator mixes samples, permuted samples give permuted outputs, and a batch in two parts the same ones."""
    network = rng.choice(sorted(subject.program.networks.values(), key=lambda item: item.name))
    graph = drop_dead(network.evaluate)
    if not network.inputs or not all_alone(graph):
        return False
    batch = {port.name: drawn(port.type, rng, SAMPLES) for port in network.inputs}
    parameters = initial(network)
    wanted = values(graph, parameters | batch)
    order = rng.sample(range(SAMPLES), SAMPLES)
    turned = parameters | rows(graph, batch, order)
    agree(graph, turned, rows(graph, wanted, order), values(graph, turned))
    cut = rng.randint(1, SAMPLES - 1)
    halves = [rows(graph, batch, range(start, stop)) for start, stop in ((0, cut), (cut, SAMPLES))]
    compiled = compile_forward(subject.program, network, batch_size=rng.choice((1, SAMPLES)), seed=SEED, threads=1)
    parts = [{name: np.array(value) for name, value in compiled.forward(**half).items()} for half in halves]
    agree(graph, parameters | batch, joined(graph, parts, wanted), wanted)
    telling(wanted)
    return True


def all_alone(graph: Graph) -> bool:
    """Every value that depends on the samples has one axis `batch`, and no operator looks across it or at its size."""
    depends: set[int] = {item.id for item in graph.inputs if item.kind == "key" or batch_axis(graph, item.id) is not None}
    if graph.updates or any(item.kind == "key" for item in graph.inputs):
        return False
    for node in graph.nodes:
        fed = any(id in depends for id in node.inputs)
        types = [graph.types[id] for id in node.outputs]
        if any("batch" in type.names for type in types) or fed:
            if mixing(graph, node) or any(batch_axis(graph, id) is None for id in node.outputs):
                return False
            depends |= set(node.outputs)
        elif "batch" in str(node.attrs):
            return False
    return all(batch_axis(graph, item.id) is not None for item in graph.inputs if item.kind == "input")


def batch_axis(graph: Graph, id: int) -> int | None:
    """The only axis that is the batch."""
    shape = graph.types[id].shape
    found = [axis for axis, size in enumerate(shape) if "batch" in size.names]
    return found[0] if len(found) == 1 and shape[found[0]] == BATCH else None


def axes(graph: Graph) -> dict[str, int | None]:
    return {item.name: batch_axis(graph, item.id) for item in (*graph.inputs, *graph.outputs)}


def rows(graph: Graph, arrays: Mapping[str, np.ndarray], which: range | list[int]) -> Arrays:
    """Samples of inputs or outputs, in this order."""
    places = axes(graph)
    return {name: array if places[name] is None else np.take(array, list(which), axis=places[name]) for name, array in arrays.items()}


def joined(graph: Graph, parts: list[Arrays], wanted: Mapping[str, np.ndarray]) -> Arrays:
    places = axes(graph)
    found = {}
    for name in wanted:
        axis = places[name]
        found[name] = parts[0][name] if axis is None else np.concatenate([part[name] for part in parts], axis)
    return found
