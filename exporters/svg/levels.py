"""Nested layout: every group is laid out on its own and is then one item of the level around it; values enter and leave it by ports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from exporters.svg.diagram import ROOT, Call, Diagram, Part, shape
from exporters.svg.layout import Edge, Item, arrange, evenly

ROW = 24.0  # one line of a card
CIRCLE = 26.0
PAD = 18.0  # inside a group
TITLE = 30.0  # above a group's content
Member = Part | Call


@dataclass
class Level:
    """One group: its members with their items, the levels of inner groups, edges, and the ports by value id."""

    members: list[Member]
    items: list[Item]
    inner: dict[Call, Level]
    edges: list[Edge]
    entries: dict[int, int] = field(default_factory=dict)  # value id -> index of its item
    exits: dict[int, int] = field(default_factory=dict)
    width: float = 0.0
    height: float = 0.0

    def port(self, value: int, side: dict[int, int]) -> float:
        """Where the value passes the border, from the middle."""
        return self.items[side[value]].x - self.width / 2


class Layout:
    """Lays out all groups of a diagram, the innermost first."""

    def __init__(self, diagram: Diagram) -> None:
        self.diagram = diagram
        self.makers = {value: part for part in diagram.parts for value in part.outputs}
        self.members: dict[Call, list[Member]] = {ROOT: []}
        for part in diagram.parts:
            self.enter(part.group, part)
        self.root = self.level(ROOT)

    def enter(self, group: Call, member: Member) -> None:
        """Into the list of its group; a group that is met first is entered into the one around it."""
        if group not in self.members:
            self.members[group] = []
            self.enter(self.diagram.parents[group], group)
        self.members[group].append(member)

    def around(self, part: Part) -> Iterator[Call]:
        """The groups that a part stands in, from the innermost to the root."""
        group = part.group
        yield group
        while group != ROOT:
            group = self.diagram.parents[group]
            yield group

    def level(self, group: Call) -> Level:
        members = self.members[group]
        inner = {member: self.level(member) for member in members if isinstance(member, tuple)}
        made = Level(members, [self.item(member, inner) for member in members], inner, [])
        home = {value: at for at, member in enumerate(members) for value in self.outputs(member, inner)}
        if group != ROOT:
            self.add_ports(group, made, home)
        for at, member in enumerate(members):
            for value in self.inputs(member, inner):
                source = home.get(value, made.entries.get(value))
                if source is not None:
                    into = inner[member].port(value, inner[member].entries) if isinstance(member, tuple) else None
                    made.edges.append(Edge(source, at, value, self.leaves(members, source, value, inner), into))
        for value, at in made.exits.items():
            made.edges.append(Edge(home[value], at, value, self.leaves(members, home[value], value, inner), 0.0))
        width, made.height = arrange(made.items, made.edges)
        made.width = max([width, *self.label_ends(made)])
        return made

    def label_ends(self, level: Level) -> Iterator[float]:
        """Where the shapes beside edges end on the right."""
        for edge in level.edges:
            if edge.source < len(level.members) and isinstance(level.members[edge.source], Part):
                yield edge.points[0][0] + 7 + text_width(shape(self.diagram, edge.value), 11.5)

    def add_ports(self, group: Call, level: Level, home: dict[int, int]) -> None:
        """Items of no height for the values that enter (first layer) and leave (last layer)."""
        inside = [part for part in self.diagram.parts if group in self.around(part)]
        made = {value for part in inside for value in part.outputs}
        read = {value for part in self.diagram.parts if group not in self.around(part) for value in part.inputs}
        for part in inside:
            for value in part.inputs:
                if value not in made and value not in level.entries:
                    level.entries[value] = len(level.items)
                    level.items.append(Item(2.0, 0.0, pin="first"))
        for value in home:
            if value in read:
                level.exits[value] = len(level.items)
                level.items.append(Item(2.0, 0.0, pin="last"))

    def item(self, member: Member, inner: dict[Call, Level]) -> Item:
        if isinstance(member, tuple):
            level = inner[member]
            title = text_width(self.diagram.titles[member], 12.0)
            return Item(max(level.width, title) + 2 * PAD, level.height + TITLE + PAD)
        if member.sign:
            return Item(CIRCLE, CIRCLE, round=True)
        width = max(text_width(words, 13.0) + (text_width(figure, 11.0) + 18.0 if figure else 0.0) for words, figure in member.rows)
        return Item(max(96.0, width + 28.0), ROW * len(member.rows) + 6.0)

    def inputs(self, member: Member, inner: dict[Call, Level]) -> list[int]:
        return list(inner[member].entries) if isinstance(member, tuple) else member.inputs

    def outputs(self, member: Member, inner: dict[Call, Level]) -> list[int]:
        return list(inner[member].exits) if isinstance(member, tuple) else member.outputs

    def leaves(self, members: list[Member], source: int, value: int, inner: dict[Call, Level]) -> float:
        """Where a value leaves its source, from the middle."""
        if source >= len(members):  # an entry port
            return 0.0
        member = members[source]
        if isinstance(member, tuple):
            return inner[member].port(value, inner[member].exits)
        width = self.item(member, inner).width
        return evenly(len(member.outputs), width)[member.outputs.index(value)]


NARROW, WIDE = frozenset("ijlItfr.,:;|!'()[]/ "), frozenset("mwMW%@")


def text_width(text: str, size: float) -> float:
    """About the width of a text in a sans-serif font, in pixels."""
    return size * sum(0.33 if c in NARROW else 0.86 if c in WIDE else 0.7 if c.isupper() else 0.56 for c in text)
