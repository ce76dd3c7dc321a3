"""Parameter counts of the published networks, whole and layer by layer."""

from __future__ import annotations

import pytest

from dslc.ir.verify import verify
from tests.specs.rows import ROWS, Row
from tests.specs.subjects import count, full, reduced


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_parameters_are_as_published(row: Row) -> None:
    networks = full(row.name).networks
    assert {name: count(networks[name].weights) for name in row.counts} == dict(row.counts), row.source
    assert set(networks) == set(row.counts)
    if row.states is not None:
        assert sum(count(network.states) for network in networks.values()) == row.states


@pytest.mark.parametrize("row", [row for row in ROWS if row.layers], ids=lambda row: row.name)
def test_layers_are_as_published(row: Row) -> None:
    weights = [weight for network in full(row.name).networks.values() for weight in network.weights]
    assert {start: count(weights, start) for start in row.layers} == dict(row.layers), row.source


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_all_graphs_are_valid(row: Row) -> None:
    program = reduced(row.name)
    graphs = [graph for network in program.networks.values() for graph in (network.evaluate, network.train)]
    for training in program.trainings.values():
        graphs += [training.evaluate, training.predict, *(step.graph for step in training.steps)]
    for graph in graphs:
        verify(graph)
