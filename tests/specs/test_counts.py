"""Parameter counts of the published networks, whole and layer by layer."""

from __future__ import annotations

import pytest

from dslc.ir.verify import verify
from dslc.loading import check_source, specs_folder
from dslc.source import Source
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


PAPER = """dslc 1
import UNet from "unet.nn" (size=572, width=64, pad=0, classes=2)
network Paper {
  input image: [batch, 1, 572, 572]
  output map = UNet(image).logits
}
"""


def test_unet_at_the_size_of_its_paper() -> None:
    """Figure 1 of Ronneberger et al. 2015: 23 convolutions with biases, widths 64 … 1024, 572 × 572 pixels to 388 × 388."""
    program, _ = check_source(Source("paper.nn", PAPER), folder=specs_folder())
    assert program is not None
    network = program.networks["Paper"]
    kernels = [weight.type.shape for weight in network.weights if weight.address.endswith(".w")]
    assert (len(kernels), str(network.outputs[0].type)) == (23, "f32[batch, 2, 388, 388]")
    down = sum(9 * a * b + b + 9 * b * b + b for a, b in [(1, 64), (64, 128), (128, 256), (256, 512), (512, 1024)])
    up = sum(4 * 2 * b * b + b + 9 * 2 * b * b + b + 9 * b * b + b for b in (512, 256, 128, 64))
    assert count(network.weights) == down + up + 64 * 2 + 2 == 31_030_658
