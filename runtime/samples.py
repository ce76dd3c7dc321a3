"""What a network reads when its training hands it samples of the data: `image` for `Net(data.image / 255)`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dslc.interpret import interpret
from dslc.ir.graph import Graph, Output
from dslc.passes.drop_dead import drop_dead
from dslc.program import Network, Training
from runtime.train.inputs import Inputs

Arrays = Mapping[str, np.ndarray]


def network_samples(training: Training, network: Network, parameters: Arrays, inputs: Inputs, count: int) -> dict[str, np.ndarray]:
    """The inputs of the network that `training` calls first, for the first samples of the evaluated split.

    Nothing where the graph that predicts does not show them.
    """
    values = handed_in(training.predict, network.evaluate)
    if values is None:
        return {}
    before = training.predict.model_copy(update={"outputs": tuple(Output(name=name, id=id) for name, id in values.items())})
    fields = inputs.take(inputs.evaluated(), slice(0, count))
    return interpret(drop_dead(before), np, {"key": np.zeros(3, np.int64), **parameters, **fields})


def handed_in(predict: Graph, evaluate: Graph) -> dict[str, int] | None:
    """For each input of the network the value in the graph that predicts, found by the address of its first reader."""
    nodes = {node.address: node for node in predict.nodes}
    found = {}
    for item in evaluate.inputs:
        if item.kind != "input":
            continue
        reader = next((node for node in evaluate.nodes if item.id in node.inputs), None)
        if reader is None or reader.address not in nodes:
            return None
        found[item.name] = nodes[reader.address].inputs[reader.inputs.index(item.id)]
    return found
