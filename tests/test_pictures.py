"""Networks as SVG: well-formed, deterministic, complete, nothing on top of anything else."""

from __future__ import annotations

import itertools
from pathlib import Path
from xml.etree import ElementTree

import pytest

import dslc
from exporters.svg import graph_svg
from exporters.svg.diagram import make_diagram
from exporters.svg.layout import Edge, Item, arrange
from exporters.svg.levels import Layout, Level
from tests.conftest import Golden

DOCS = Path(__file__).parent.parent / "docs"
NAMES = ("gates", "xor", "mlp", "lenet", "resnet20", "vgg8")


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_well_formed_and_deterministic(name: str) -> None:
    network = dslc.load(name).network().program
    text = graph_svg(network)
    assert text == graph_svg(network)
    tree = ElementTree.fromstring(text)
    words = [node.text for node in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert network.name in words
    assert {port.name for port in (*network.inputs, *network.outputs)} <= set(words)
    width, height = (float(tree.attrib[key]) for key in ("width", "height"))
    for box in tree.iter("{http://www.w3.org/2000/svg}rect"):
        if "%" not in box.attrib["width"]:
            assert float(box.attrib["x"]) >= 0 and float(box.attrib["x"]) + float(box.attrib["width"]) <= width
            assert float(box.attrib["y"]) >= 0 and float(box.attrib["y"]) + float(box.attrib["height"]) <= height


@pytest.mark.parametrize("name", ["lenet", "resnet20"])
def test_the_pictures_of_the_documents(name: str, golden: Golden) -> None:
    golden(DOCS / f"{name}.svg", graph_svg(dslc.load(name).network().program))


@pytest.mark.parametrize("name", NAMES)
def test_boxes_of_a_level_do_not_overlap(name: str) -> None:
    waiting: list[Level] = [Layout(make_diagram(dslc.load(name).network().program)).root]
    while waiting:
        level = waiting.pop()
        waiting += level.inner.values()
        for a, b in itertools.combinations(level.items[: len(level.members)], 2):
            beside = abs(a.x - b.x) >= (a.width + b.width) / 2 - 1e-6
            assert beside or a.y + a.height <= b.y or b.y + b.height <= a.y


def test_parameters_in_boxes_add_up() -> None:
    network = dslc.load("resnet20").network()
    figures = [figure for part in make_diagram(network.program).parts for _, figure in part.rows if figure]
    assert sum(int(figure.replace(",", "")) for figure in figures) == network.parameter_count


def test_a_skip_goes_round_and_the_chain_stays_straight() -> None:
    items = [Item(80, 30), Item(100, 60), Item(26, 26, round=True)]
    edges = [Edge(0, 1, 0), Edge(1, 2, 1), Edge(0, 2, 0)]
    arrange(items, edges)
    assert max(item.x for item in items) - min(item.x for item in items) < 1
    assert edges[2].sideways
    xs = [x for x, _ in edges[2].points[1:-1]]
    assert all(abs(x - items[1].x) > items[1].width / 2 for x in xs)


def test_a_shared_layer_is_drawn_once_for_each_call(tmp_path: object) -> None:
    from dslc.loading import check_source
    from dslc.source import Source

    text = "dslc 1\nnetwork N {\n  input x: [batch, 4]\n  layer f = dense(4)\n  output y = f(relu(f(x)))\n}\n"
    program, _ = check_source(Source("n.nn", text))
    assert program is not None
    parts = make_diagram(program.networks["N"]).parts
    assert [row for part in parts for row, _ in part.rows] == ["x", "dense", "relu", "dense", "y"]
