"""A tall diagram stands in several columns: cut where a single value goes on, so that the picture has the form of a page."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from exporters.svg.diagram import Part
from exporters.svg.levels import Level

TALL = 1000.0  # up to this height one column is best
FORM = 1.35  # wanted width : height
GUTTER = 84.0
MOST = 6


@dataclass
class Column:
    """Layers `first` to `last`, moved by (dx, dy); where the value that goes on leaves and enters, and its lane on the left."""

    first: int
    last: int
    dx: float = 0.0
    dy: float = 0.0
    top: float = 0.0
    foot: float = 0.0
    lane: float = 0.0
    leaves: tuple[float, float] = (0.0, 0.0)
    enters: tuple[float, float] = (0.0, 0.0)
    head: str = ""


def fold(level: Level) -> tuple[list[Column], float, float]:
    """The columns of the outermost level, and the width and height of all."""
    last = max((item.layer for item in level.items), default=0)
    whole = [Column(0, last)]
    if level.height <= TALL:
        return whole, level.width, level.height
    cuts = [layer for layer in range(last) if crossing(level, layer)]
    best, width, height = whole, level.width, level.height
    for count in range(2, MOST + 1):
        columns = split(level, cuts, count, last)
        wide, high = place(level, columns)
        if off(wide, high) < off(width, height):
            best, width, height = columns, wide, high
    return best, width, height


def off(width: float, height: float) -> float:
    """How far a form is from the wanted one, the same for too wide and too tall."""
    ratio = width / height / FORM
    return max(ratio, 1 / ratio)


def crossing(level: Level, layer: int) -> bool:
    """A cut below the layer: one edge alone passes it, and it has no waypoint there."""
    over = [edge for edge in level.edges if level.items[edge.source].layer <= layer < level.items[edge.target].layer]
    return len(over) == 1 and level.items[over[0].target].layer == layer + 1


def bounds(level: Level, first: int, last: int) -> tuple[float, float, float, float]:
    """Left, right, top, bottom of the layers, shapes at edges included."""
    inside = [item for item in level.items if first <= item.layer <= last]
    left, right = min(item.x - item.width / 2 for item in inside), max(item.x + item.width / 2 for item in inside)
    for edge in level.edges:
        if first <= level.items[edge.source].layer <= last and level.items[edge.target].layer <= last:
            left, right = min(left, *(x for x, _ in edge.points)), max(right, *(x for x, _ in edge.points))
    return left, right, min(item.y for item in inside), max(item.y + item.height for item in inside)


def split(level: Level, cuts: list[int], count: int, last: int) -> list[Column]:
    """At most `count` columns, the highest of them as low as can be: each is filled from the top while it fits."""
    ends = [(layer, bounds(level, 0, layer)[3]) for layer in cuts]
    for height in sorted({low - high for _, low in [*ends, (last, level.height)] for _, high in [(-1, 0.0), *ends] if low > high}):
        chosen, top = [-1], 0.0
        for (layer, low), (_, following) in pairwise([*ends, (last, level.height)]):
            if following - top > height:
                chosen.append(layer)
                top = low
        if len(chosen) <= count and fits(chosen, ends, level.height, height):
            return [Column(first + 1, stop) for first, stop in pairwise([*chosen, last])]
    return [Column(0, last)]


def fits(chosen: list[int], ends: list[tuple[int, float]], whole: float, height: float) -> bool:
    """No column is higher than `height`."""
    lows = [0.0, *(low for layer, low in ends if layer in chosen), whole]
    return all(low - high <= height for high, low in pairwise(lows))


def place(level: Level, columns: list[Column]) -> tuple[float, float]:
    """Side by side; returns width and height."""
    at, height, head = 0.0, 0.0, 36.0 if len(columns) > 1 else 0.0
    for column in columns:
        left, right, top, bottom = bounds(level, column.first, column.last)
        at += GUTTER if column is not columns[0] else 0.0
        column.dx, column.dy, column.top, column.lane = at - left, head - top, top, at - GUTTER / 2 + 14
        at += right - left
        height = max(height, head + bottom - top)
    foot = height + 34.0
    for column, following in pairwise(columns):
        edge = next(e for e in level.edges if level.items[e.source].layer <= column.last < level.items[e.target].layer)
        column.foot = foot
        column.leaves = edge.points[0][0] + column.dx, edge.points[0][1] + column.dy
        following.enters = edge.points[-1][0] + following.dx, edge.points[-1][1] + following.dy
        following.head = ' marker-end="url(#head)"' if isinstance(level.members[edge.target], Part) else ""
    return at, foot if len(columns) > 1 else height
