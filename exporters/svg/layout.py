"""A layered layout of one level of a diagram (Sugiyama): items in layers from top to bottom, edges that never run through an item.

Layers by the longest path; long edges get a waypoint in every layer that they pass; order in a layer by barycentres, the sweep with the
fewest crossings wins; x by weighted least squares with minimal distances (isotonic regression), in which direct edges pull hardest, so
that a chain stands straight and what skips it goes round its side. No randomness: equal input, equal output.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import copysign

APART = 28.0  # between neighbours of a layer
GAP = 38.0  # between layers: room for an arrow and the shape beside it
TAIL = 24.0  # before a layer where values leave by ports, and after one where they enter and do not branch
SIDE = 0.002  # pull of an edge that skips layers, beside 1.0 of a direct one
SWEEPS = 8


@dataclass
class Item:
    """Something with a size. `pin`: "first" or "last" layer; `round`: a circle. Filled in: `layer`, and the middle `x`, top `y`."""

    width: float
    height: float
    pin: str = ""
    round: bool = False
    layer: int = 0
    x: float = 0.0
    y: float = 0.0


@dataclass
class Edge:
    """From item `source` to item `target`; `out`, `into`: where it is attached, from the middle (`into` None: free to choose).

    Edges of one `value` share their waypoints. Filled in: `points`, from the source's bottom to the target's top, or to the side of a
    circle if `sideways`.
    """

    source: int
    target: int
    value: int
    out: float = 0.0
    into: float | None = None
    points: list[tuple[float, float]] = field(default_factory=list)
    sideways: bool = False


@dataclass
class Link:
    """A piece of an edge between neighbouring layers, by indices of items and waypoints."""

    upper: int
    lower: int
    out: float
    into: float
    pull: float


def arrange(items: list[Item], edges: list[Edge]) -> tuple[float, float]:
    """Place everything; returns width and height. Items come in topological order."""
    if not items:
        return 0.0, 0.0
    assign_layers(items, edges)
    nodes = list(items)
    chains = [waypoints(nodes, edge, made) for made in [{}] for edge in edges]  # type: ignore[var-annotated]
    layers: list[list[int]] = [[] for _ in range(1 + max(item.layer for item in nodes))]
    for at, node in enumerate(nodes):
        layers[node.layer].append(at)
    layers = ordered(layers, [pair for chain in chains for pair in pairwise(chain)])
    attach(items, edges, chains, layers)
    place(nodes, layers, links(edges, chains))
    bottoms = stack(nodes, layers, [gap(layer, following, nodes, edges) for layer, following in pairwise(layers)])
    for edge, chain in zip(edges, chains, strict=True):
        edge.points = trace(nodes, edge, chain, bottoms)
    left = min(node.x - node.width / 2 for node in nodes)
    for node in nodes:
        node.x -= left
    for edge in edges:
        edge.points = [(x - left, y) for x, y in edge.points]
    return max(node.x + node.width / 2 for node in nodes), bottoms[-1]


# ---- layers -----------------------------------------------------------------------------------------------------------------


def assign_layers(items: Sequence[Item], edges: Sequence[Edge]) -> None:
    """The longest path from the top; what has no inputs moves down to its first reader; pinned items to the first or last layer."""
    for item in items:
        item.layer = 0 if item.pin == "first" else 1
    for edge in sorted(edges, key=lambda edge: edge.source):
        items[edge.target].layer = max(items[edge.target].layer, items[edge.source].layer + 1)
    fed = {edge.target for edge in edges}
    for at, item in enumerate(items):
        readers = [items[edge.target].layer for edge in edges if edge.source == at]
        if at not in fed and readers and item.pin != "first":
            item.layer = min(readers) - 1
    last = max((item.layer for item in items if item.pin != "last"), default=0) + 1
    for item in items:
        if item.pin == "last":
            item.layer = last
    used = sorted({item.layer for item in items})
    for item in items:
        item.layer = used.index(item.layer)


def waypoints(nodes: list[Item], edge: Edge, made: dict[tuple[int, int], int]) -> list[int]:
    """The edge's way through the layers: its source, a waypoint in each layer between, its target."""
    chain = [edge.source]
    for layer in range(nodes[edge.source].layer + 1, nodes[edge.target].layer):
        key = (edge.value, layer)
        if key not in made:
            made[key] = len(nodes)
            nodes.append(Item(6.0, 0.0, layer=layer))
        chain.append(made[key])
    return [*chain, edge.target]


# ---- order ------------------------------------------------------------------------------------------------------------------


def ordered(layers: list[list[int]], pairs: Sequence[tuple[int, int]]) -> list[list[int]]:
    """The order of every layer with the fewest crossings among those that the sweeps find."""
    above: dict[int, list[int]] = {}
    below: dict[int, list[int]] = {}
    for upper, lower in pairs:
        above.setdefault(lower, []).append(upper)
        below.setdefault(upper, []).append(lower)
    best, fewest = layers, crossings(layers, below)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        neighbours, way = (above, 1) if sweep % 2 == 0 else (below, -1)
        layers = [list(layer) for layer in layers]
        for at in range(len(layers))[::way][1:]:
            position = {node: place for place, node in enumerate(layers[at - way])}
            layers[at] = by_barycentre(layers[at], neighbours, position)
        found = crossings(layers, below)
        if found < fewest:
            best, fewest = layers, found
    return best


def by_barycentre(layer: list[int], neighbours: dict[int, list[int]], position: dict[int, int]) -> list[int]:
    def middle(item: tuple[int, int]) -> float:
        place, node = item
        near = [position[other] for other in neighbours.get(node, ()) if other in position]
        return sum(near) / len(near) if near else place

    return [node for _, node in sorted(enumerate(layer), key=middle)]


def crossings(layers: Sequence[Sequence[int]], below: dict[int, list[int]]) -> int:
    """Pairs of edges between neighbouring layers that cross: inversions, counted by insertion into a sorted list."""
    total = 0
    for upper, lower in pairwise(layers):
        position = {node: place for place, node in enumerate(lower)}
        seen: list[int] = []
        for node in upper:
            ends = sorted(position[other] for other in set(below.get(node, ())) if other in position)
            total += sum(len(seen) - bisect_left(seen, end + 1) for end in ends)
            for end in ends:
                insort(seen, end)
    return total


# ---- x ----------------------------------------------------------------------------------------------------------------------


def attach(items: Sequence[Item], edges: Sequence[Edge], chains: Sequence[list[int]], layers: Sequence[Sequence[int]]) -> None:
    """Where edges enter an item that leaves it open: the only direct one in the middle, others at its sides; else evenly."""
    position = {node: place for layer in layers for place, node in enumerate(layer)}
    for at, item in enumerate(items):
        free = [(position[chain[-2]], edge, len(chain) == 2) for edge, chain in zip(edges, chains, strict=True) if edge.target == at]
        free = sorted((entry for entry in free if entry[1].into is None), key=lambda entry: entry[0])
        direct = [order for order, (_, _, straight) in enumerate(free) if straight]
        spread = evenly(len(free), item.width)
        if len(direct) == 1 and len(free) <= 3:
            spread = [(order - direct[0]) * item.width * 0.3 for order in range(len(free))]
        for (_, edge, _), into in zip(free, spread, strict=True):
            edge.into = into
            edge.sideways = item.round and bool(into) and len(direct) == 1


def evenly(count: int, width: float) -> list[float]:
    return [width * ((at + 1) / (count + 1) - 0.5) for at in range(count)]


def links(edges: Sequence[Edge], chains: Sequence[list[int]]) -> list[Link]:
    found: dict[tuple[int, int, float, float], Link] = {}
    for edge, chain in zip(edges, chains, strict=True):
        last = len(chain) - 2
        for at in range(last + 1):
            ends = at == 0 or at == last
            pull = 1.0 if last == 0 else SIDE if ends else 0.5
            out, into = (edge.out if at == 0 else 0.0), ((edge.into or 0.0) if at == last else 0.0)
            found.setdefault((chain[at], chain[at + 1], out, into), Link(chain[at], chain[at + 1], out, into, pull))
    return list(found.values())


def place(nodes: Sequence[Item], layers: Sequence[Sequence[int]], links: Sequence[Link]) -> None:
    """Sweep down and up; each layer goes as near to its neighbours as distances allow."""
    above: dict[int, list[Link]] = {}
    below: dict[int, list[Link]] = {}
    for link in links:
        above.setdefault(link.lower, []).append(link)
        below.setdefault(link.upper, []).append(link)
    for layer in layers:
        spread(nodes, layer, [0.0] * len(layer), [1e-6] * len(layer))
    for sweep in range(3 * SWEEPS):
        sides = (above,) if sweep % 3 == 0 else (below,) if sweep % 3 == 1 else (above, below)
        for layer in layers if sweep % 3 != 1 else reversed(layers):
            wishes, weights = [], []
            for node in layer:
                near = [(nodes[k.upper].x + k.out - k.into, k.pull) for k in above.get(node, ()) if above in sides]
                near += [(nodes[k.lower].x + k.into - k.out, k.pull) for k in below.get(node, ()) if below in sides]
                weight = sum(pull for _, pull in near)
                wishes.append(sum(x * pull for x, pull in near) / weight if near else nodes[node].x)
                weights.append(weight if near else 1e-3)
            spread(nodes, layer, wishes, weights)


def spread(nodes: Sequence[Item], layer: Sequence[int], wishes: Sequence[float], weights: Sequence[float]) -> None:
    """min Σ wᵢ (xᵢ - dᵢ)² with xᵢ₊₁ - xᵢ >= distanceᵢ: shifted by the distances it is isotonic regression (pool adjacent violators)."""
    shifts = [0.0]
    for left, right in pairwise(layer):
        shifts.append(shifts[-1] + (nodes[left].width + nodes[right].width) / 2 + APART)
    pools: list[tuple[float, float, int]] = []  # mean, weight, how many
    for wish, weight, shift in zip(wishes, weights, shifts, strict=True):
        mean, total, many = wish - shift, weight, 1
        while pools and pools[-1][0] >= mean:
            other, heavy, count = pools.pop()
            mean, total, many = (mean * total + other * heavy) / (total + heavy), total + heavy, many + count
        pools.append((mean, total, many))
    at = 0
    for mean, _, many in pools:
        for _ in range(many):
            nodes[layer[at]].x = mean + shifts[at]
            at += 1


# ---- y and edges --------------------------------------------------------------------------------------------------------------


def gap(layer: Sequence[int], following: Sequence[int], nodes: Sequence[Item], edges: Sequence[Edge]) -> float:
    """The room between two layers: less where there is no shape to write and no curve to draw."""
    if nodes[following[0]].pin == "last":
        return TAIL
    leaving = sum(edge.source in layer for edge in edges)
    return TAIL if nodes[layer[0]].pin == "first" and leaving == len(layer) else GAP


def stack(nodes: Sequence[Item], layers: Sequence[Sequence[int]], gaps: Sequence[float]) -> list[float]:
    """Layers one under the other, items in the middle of theirs; returns where each layer ends."""
    top, bottoms = 0.0, []
    for layer, below in zip(layers, [*gaps, 0.0], strict=True):
        height = max(nodes[node].height for node in layer)
        for node in layer:
            nodes[node].y = top + (height - nodes[node].height) / 2
            if not nodes[node].height:  # a waypoint runs through the whole layer
                nodes[node].y = top
        bottoms.append(top + height)
        top += height + below
    return bottoms


def trace(nodes: Sequence[Item], edge: Edge, chain: Sequence[int], bottoms: Sequence[float]) -> list[tuple[float, float]]:
    """Points of an edge: out of the source, straight through every layer that it passes, into the target."""
    source, target = nodes[chain[0]], nodes[chain[-1]]
    points = [(source.x + edge.out, source.y + source.height)]
    for node in chain[1:-1]:
        points += [(nodes[node].x, nodes[node].y), (nodes[node].x, bottoms[nodes[node].layer])]
    into = edge.into or 0.0
    if edge.sideways:
        return [*points, (target.x + copysign(target.width / 2, into), target.y + target.height / 2)]
    return [*points, (target.x + into, target.y)]
