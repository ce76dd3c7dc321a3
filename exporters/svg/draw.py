"""A laid-out diagram as SVG text: fixed colours and numbers, so that equal networks give equal files."""

from __future__ import annotations

from html import escape
from itertools import pairwise

from exporters.svg.columns import Column, fold
from exporters.svg.diagram import ROOT, Diagram, Part, shape
from exporters.svg.layout import Edge
from exporters.svg.levels import PAD, ROW, TITLE, Layout, Level

MARGIN, HEAD = 28.0, 58.0
FILLS = {  # kind of the main operator -> fill, border
    "input": ("#1f2937", "#1f2937"),
    "output": ("#1f2937", "#1f2937"),
    "conv": ("#dbeafe", "#3b82f6"),
    "linalg": ("#dcfce7", "#22a05a"),
    "norm": ("#ede9fe", "#8b5cf6"),
    "pool": ("#cffafe", "#0e9fb8"),
    "elementwise": ("#fef3c7", "#d99a1c"),
    "reduce": ("#ffe4e6", "#e2556e"),
    "movement": ("#f1f5f9", "#94a3b8"),
}
OTHER = ("#f1f5f9", "#94a3b8")
STYLE = """\
text { font-family: Inter, "Helvetica Neue", Helvetica, Arial, "DejaVu Sans", sans-serif; font-size: 13px; fill: #111827 }
.title { font-size: 20px; font-weight: 600 } .about { font-size: 12px; fill: #6b7280 }
.figure { font-size: 11px; fill: #4b5563; text-anchor: end } .group { font-size: 12px; font-weight: 600; fill: #64748b }
.shape { font-size: 11px; fill: #475569; stroke: #fff; stroke-width: 4px; stroke-linejoin: round; paint-order: stroke }
.port { fill: #fff; text-anchor: middle; font-weight: 600 } .sign { text-anchor: middle; font-size: 17px }
.edge { fill: none; stroke: #64748b; stroke-width: 1.4 } .frame { fill: #64748b; fill-opacity: 0.06; stroke: #cbd5e1 }"""


def draw(diagram: Diagram, about: str) -> str:
    """The whole file; `about` is the line under the title."""
    layout = Layout(diagram)
    columns, width, height = fold(layout.root)
    out: list[str] = []
    for column in columns:
        out += edges_of(layout.root, column, diagram)
    for at, column in enumerate(columns):
        out += boxes_of(layout.root, column, diagram)
        out += connection(column, columns[at + 1]) if at + 1 < len(columns) else []
    full = max(width, 6.6 * len(about))
    wide, high = f"{full + 2 * MARGIN:.0f}", f"{height + HEAD + 2 * MARGIN:.0f}"
    title = escape(diagram.titles[ROOT])
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" viewBox="0 0 {wide} {high}" role="img">',
            f"<title>{title}</title>",
            f"<style>\n{STYLE}\n</style>",
            '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
            '<path d="M0 0.5 L8 4 L0 7.5 Z" fill="#64748b"/></marker></defs>',
            '<rect width="100%" height="100%" fill="#fff"/>',
            text(MARGIN, MARGIN + 18, diagram.titles[ROOT], "title"),
            text(MARGIN, MARGIN + 38, about, "about"),
            f'<g transform="translate({MARGIN + (full - width) / 2:.0f} {MARGIN + HEAD:.0f})">',
            *out,
            "</g>",
            "</svg>",
            "",
        ]
    )


# ---- levels -----------------------------------------------------------------------------------------------------------------


def boxes_of(level: Level, column: Column, diagram: Diagram) -> list[str]:
    """Parts and groups of one level that stand in the column, with all that groups hold."""
    out: list[str] = []
    for member, item in zip(level.members, level.items, strict=False):
        if not column.first <= item.layer <= column.last:
            continue
        x, y = item.x - item.width / 2 + column.dx, item.y + column.dy
        if isinstance(member, tuple):
            inner = level.inner[member]
            out.append(f"<g><title>{escape(member[0])}</title>{rect(x, y, item.width, item.height, 'frame', 10)}")
            out.append(f"{text(x + 10, y + 18, diagram.titles[member], 'group')}</g>")
            here = Column(0, len(level.items) + len(inner.items), x + (item.width - inner.width) / 2, y + TITLE)
            out += borders(inner, here)
            out += edges_of(inner, here, diagram)
            out += boxes_of(inner, here, diagram)
        else:
            out += card(member, x, y, item.width, item.height)
    return out


def borders(level: Level, column: Column) -> list[str]:
    """The short lines of values between a group's border and its content."""
    lines = [(level.items[at].x + column.dx, column.dy - TITLE, column.dy) for at in level.entries.values()]
    lines += [(level.items[at].x + column.dx, column.dy + level.height, column.dy + level.height + PAD) for at in level.exits.values()]
    return [f'<path class="edge" d="M{x:.1f} {top:.1f} V{bottom:.1f}"/>' for x, top, bottom in lines]


def edges_of(level: Level, column: Column, diagram: Diagram) -> list[str]:
    """Edges with both ends in the column, then the shapes beside them."""
    out: list[str] = []
    for edge in level.edges:
        if not column.first <= level.items[edge.source].layer <= column.last:
            continue
        if level.items[edge.target].layer <= column.last:
            ends_in_part = edge.target < len(level.members) and not isinstance(level.members[edge.target], tuple)
            head = ' marker-end="url(#head)"' if ends_in_part else ""
            out.append(f'<path class="edge" d="{curve(edge, column)}"{head}/>')
    return out + shapes_of(level, column, diagram)


def shapes_of(level: Level, column: Column, diagram: Diagram) -> list[str]:
    """The shape of each value where it leaves its maker: on the side to which no edge bends."""
    edges: dict[int, list[Edge]] = {}
    for edge in level.edges:
        member = level.members[edge.source] if edge.source < len(level.members) else ROOT
        if isinstance(member, Part) and column.first <= level.items[edge.source].layer <= column.last:
            edges.setdefault(edge.source, []).append(edge)
    out = []
    for fan in edges.values():
        x, y = max(edge.points[0] for edge in fan)
        turns = {(edge.points[1][0] > x + 1) - (edge.points[1][0] < x - 1) for edge in fan}
        several = len({edge.value for edge in fan}) > 1
        to_left, between = turns <= {0, 1} and 1 in turns, turns == {-1, 1}
        dx, dy, anchor = (7, 16, "start") if several else (-7, 16, "end") if to_left else (0, 30, "middle") if between else (7, 16, "start")
        words = " | ".join(dict.fromkeys(shape(diagram, edge.value) for edge in fan))
        out.append(text(x + column.dx + dx, y + column.dy + dy, words, "shape", f' text-anchor="{anchor}"'))
    return out


def curve(edge: Edge, column: Column) -> str:
    """Vertical at both ends of every piece, straight where it goes straight down; into a circle's side on a level line."""
    points = [(x + column.dx, y + column.dy) for x, y in edge.points]
    path = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for at, ((x0, y0), (x1, y1)) in enumerate(pairwise(points), 2):
        if edge.sideways and at == len(points):
            path.append(f"V{y1 - 12:.1f} Q{x0:.1f} {y1:.1f} {x0 + (12 if x1 > x0 else -12):.1f} {y1:.1f} H{x1:.1f}")
            continue
        middle = (y0 + y1) / 2
        path.append(f"V{y1:.1f}" if abs(x0 - x1) < 0.1 else f"C{x0:.1f} {middle:.1f} {x1:.1f} {middle:.1f} {x1:.1f} {y1:.1f}")
    return " ".join(path)


def connection(column: Column, following: Column) -> list[str]:
    """From the foot of a column round to the top of the next, on a rounded way."""
    x0, y0 = column.leaves
    x1, y1 = following.enters
    low, high, lane = column.foot, following.dy + following.top - 26.0, following.lane
    corners = [(x0, y0), (x0, low), (lane, low), (lane, high), (x1, high), (x1, y1)]
    path = [f"M{x0:.1f} {y0:.1f}"]
    for before, (x, y), after in zip(corners, corners[1:], corners[2:], strict=False):
        (ax, ay), (bx, by) = toward((x, y), before), toward((x, y), after)
        path.append(f"L{ax:.1f} {ay:.1f} Q{x:.1f} {y:.1f} {bx:.1f} {by:.1f}")
    return [f'<path class="edge" d="{" ".join(path)} L{x1:.1f} {y1:.1f}"{following.head}/>']


def toward(corner: tuple[float, float], other: tuple[float, float], radius: float = 12.0) -> tuple[float, float]:
    """The point at `radius` from a corner on the (level or upright) way to another point, at most half of the way."""
    (x, y), (u, v) = corner, other
    part = min(radius / max(abs(u - x) + abs(v - y), 1e-9), 0.5)
    return x + (u - x) * part, y + (v - y) * part


# ---- pieces -----------------------------------------------------------------------------------------------------------------


def card(part: Part, x: float, y: float, width: float, height: float) -> list[str]:
    """A box with its lines, a dark pill for an input or output, a circle for arithmetic."""
    fill, border = FILLS.get(part.kind, OTHER)
    paint = f' style="fill:{fill};stroke:{border}"'
    tip = f"<title>{escape(part.tip)}</title>"
    if part.sign:
        r = width / 2
        circle = f'<circle cx="{x + r:.1f}" cy="{y + r:.1f}" r="{r:.1f}"{paint}/>'
        return [f"<g>{tip}{circle}{text(x + r, y + r + 6, part.sign, 'sign')}</g>"]
    if part.kind in ("input", "output"):
        box = rect(x, y, width, height, "", height / 2, paint)
        return [f"<g>{tip}{box}{text(x + width / 2, y + height / 2 + 4.5, part.rows[0][0], 'port')}</g>"]
    out = [f"<g>{tip}{rect(x, y, width, height, '', 6, paint)}"]
    for at, (words, figure) in enumerate(part.rows):
        base = y + 3 + ROW * at + 16.5
        out += [f'<path d="M{x:.1f} {y + 3 + ROW * at:.1f} h{width:.1f}" stroke="{border}" stroke-opacity="0.45"/>'] if at else []
        out.append(text(x + 12, base, words, ""))
        out += [text(x + width - 12, base, figure, "figure")] if figure else []
    return [*out, "</g>"]


def rect(x: float, y: float, width: float, height: float, name: str, radius: float, paint: str = "") -> str:
    kind = f' class="{name}"' if name else ""
    return f'<rect{kind} x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="{radius:.0f}"{paint}/>'


def text(x: float, y: float, words: str, name: str, more: str = "") -> str:
    kind = f' class="{name}"' if name else ""
    return f'<text{kind} x="{x:.1f}" y="{y:.1f}"{more}>{escape(words)}</text>'
