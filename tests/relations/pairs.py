"""Two forms of one computation over the same inputs, run in the definition and on the NumPy device, values and gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

import numpy as np

from dslc.ir.graph import Graph
from dslc.ir.types import DType
from dslc.passes.differentiate import differentiate
from dslc.passes.drop_dead import drop_dead
from dslc.passes.pipeline import optimize
from runtime.device import get_device
from runtime.executor import Executor
from tests.relations.numeric import Values, equal, telling, values
from tests.relations.subject import compiled

Arrays = dict[str, np.ndarray]
Shape = Sequence[int]


def graph_of(lines: Sequence[str], inputs: Mapping[str, Shape], precision: DType = DType.f32, blocks: str = "") -> Graph:
    """The evaluation graph of a network with these inputs and lines."""
    heads = [f"input {name}: {list(shape)}" for name, shape in inputs.items()]
    body = "\n".join(f"  {line}" for line in (*heads, *lines))
    (network,) = compiled(f"dslc 1\n\nnetwork Pair {{\n{body}\n}}\n{blocks}", Path(), precision).networks.values()
    return network.evaluate


def results(graph: Graph, arrays: Arrays) -> dict[str, Values]:
    """What the definition gives, and what the optimised graph gives on the device."""
    best = optimize(graph)
    device = Executor(best, get_device("numpy"), {}, workers=None)
    fed = {item.name: arrays[item.name] for item in best.inputs}
    run = {name: np.array(value) for name, value in device.run(fed).items()}
    return {"definition": values(graph, arrays), "device": run}


def only(graph: Graph, name: str) -> Graph:
    """The graph with one output, called "y"."""
    (output,) = (item for item in graph.outputs if item.name == name)
    return drop_dead(graph.model_copy(update={"outputs": (output.model_copy(update={"name": "y"}),)}))


def same_results(graph: Graph, forms: Sequence[str], arrays: Arrays, wrt: Sequence[str] = ()) -> None:
    """All outputs `forms`, and the gradients of `slope_FORM` to the inputs `wrt`, are the same in every form and every way to run."""
    wanted = results(only(graph, forms[0]), arrays)["definition"]
    telling(wanted)
    for form in forms:
        for found in results(only(graph, form), arrays).values():
            equal(found, wanted)
    if not wrt:
        return
    slopes = {form: differentiate(only(graph, f"slope_{form}"), "y", tuple(wrt)) for form in forms}
    wanted = results(slopes[forms[0]], arrays)["definition"]
    for slope in slopes.values():
        for found in results(slope, arrays).values():
            equal(found, wanted)


def slope_lines(forms: Sequence[str]) -> list[str]:
    """Outputs whose gradients compare all of a form: its product with the input `g`."""
    return [f"output {', '.join(forms)}", *(f"output slope_{form} = sum({form} * g)" for form in forms)]


def integers(rng: Random, shape: Shape, most: int = 3) -> np.ndarray:
    """Small integers but zero: sums of products of these are exact."""
    numbers = np.random.default_rng(rng.randrange(2**32))
    return (numbers.integers(1, most + 1, tuple(shape)) * numbers.choice((-1, 1), tuple(shape))).astype(np.float32)
