"""Networks drawn as SVG, with a layout of our own: no other program or library is needed.

`diagram.py` says what is drawn, `layout.py` arranges one level, `levels.py` nests them, `columns.py` folds a tall picture,
`draw.py` writes it.
"""

from __future__ import annotations

from dslc.program import Network


def graph_svg(network: Network) -> str:
    """The network in its evaluation phase: layers and operators with parameter counts, shapes for one sample at the arrows."""
    from exporters.svg.diagram import make_diagram
    from exporters.svg.draw import draw

    count = sum(weight.type.elements.constant for weight in network.weights)
    return draw(make_diagram(network), f"{count:,} parameters. Shapes are for one sample.")
