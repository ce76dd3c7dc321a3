"""Networks made by hand for the export tests: a graph wrapped as a `Network`, and parameters for it."""

from __future__ import annotations

import numpy as np

from dslc.ir.graph import Graph
from dslc.program import Init, Network, Port, State, Weight
from tests.peers.values import weights


def network(graph: Graph, defaults: dict[str, float] | None = None) -> Network:
    """The graph as a network whose phases are equal."""
    items = {kind: [item for item in graph.inputs if item.kind == kind] for kind in ("input", "weight", "state")}
    defaults = defaults or {}
    return Network(
        name=graph.name,
        inputs=tuple(Port(name=item.name, type=graph.types[item.id], default=defaults.get(item.name)) for item in items["input"]),
        outputs=tuple(Port(name=item.name, type=graph.types[item.id]) for item in graph.outputs),
        evaluate=graph,
        train=graph,
        weights=tuple(Weight(address=item.name, type=graph.types[item.id], init=Init(name="zeros")) for item in items["weight"]),
        states=tuple(State(address=item.name, type=graph.types[item.id], init=Init(name="zeros")) for item in items["state"]),
        layers=(),
    )


def parameters(net: Network) -> dict[str, np.ndarray]:
    """Values for every weight and state."""
    return weights((*net.weights, *net.states))
