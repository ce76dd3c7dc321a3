"""Reaching definitions: which assignments can be read where (R2). No values are known here, only names.

An environment is a stack of bodies; a name maps to the definitions that may have given it its present value.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dslc.source import Span


@dataclass(eq=False)
class Definition:
    """One place that gives a name a value; `sources`: definitions whose value it passes on (the turn before, in a loop)."""

    name: str
    span: Span
    read: bool = False
    sources: list[Definition] = field(default_factory=list)


@dataclass(eq=False)
class Variable:
    """A name of one body. `kind`: local, loop, parameter, input, weight, state, dim, layer, slice, carry, error."""

    name: str
    kind: str
    span: Span
    definitions: list[Definition] = field(default_factory=list)
    published: Span | None = None


Reaching = dict[str, frozenset[Definition]]


class Flow:
    """The names of one block, network, train or generate while it is walked."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Variable]] = [{}]
        self.reaching: list[Reaching] = [{}]
        self.variables: list[Variable] = []
        self.fences: list[int] = []  # depths at which a `scan` body begins

    # -- names

    def find(self, name: str) -> tuple[int, Variable] | None:
        for depth in range(len(self.bodies) - 1, -1, -1):
            if name in self.bodies[depth]:
                return depth, self.bodies[depth][name]
        return None

    def declare(self, name: str, kind: str, span: Span, read: bool = False) -> Variable:
        """A new name of the innermost body."""
        variable = Variable(name, kind, span)
        self.variables.append(variable)
        self.bodies[-1][name] = variable
        self.define(len(self.bodies) - 1, variable, span, read)
        return variable

    def define(self, depth: int, variable: Variable, span: Span, read: bool = False) -> Definition:
        """A new value of a name."""
        definition = Definition(variable.name, span, read)
        variable.definitions.append(definition)
        self.reaching[depth][variable.name] = frozenset([definition])
        return definition

    def read(self, name: str) -> Variable | None:
        """Read a name: all definitions that reach here are used."""
        found = self.find(name)
        if found is None:
            return None
        depth, variable = found
        mark(self.reaching[depth].get(name, frozenset()))
        return variable

    # -- bodies

    def push(self) -> None:
        self.bodies.append({})
        self.reaching.append({})

    def pop(self) -> None:
        self.bodies.pop()
        self.reaching.pop()

    def snapshot(self) -> list[Reaching]:
        return [dict(level) for level in self.reaching]

    def restore(self, saved: list[Reaching]) -> None:
        self.reaching = [dict(level) for level in saved]

    def join(self, others: list[list[Reaching]]) -> None:
        """After several ways: what reaches by any of them."""
        for depth in range(len(self.reaching)):
            joined: Reaching = {}
            for other in others:
                for name, found in other[depth].items():
                    joined[name] = joined.get(name, frozenset()) | found
            self.reaching[depth] = joined

    # -- loops

    def enter_loop(self, names: set[str]) -> list[tuple[int, str, Definition]]:
        """Stand-ins for what the turn before may have left in names that the loop's body assigns."""
        found = []
        for name in sorted(names):
            place = self.find(name)
            if place is None:
                continue
            depth, variable = place
            stand_in = Definition(name, variable.span)
            self.reaching[depth][name] = self.reaching[depth].get(name, frozenset()) | {stand_in}
            found.append((depth, name, stand_in))
        return found

    def leave_loop(self, stand_ins: list[tuple[int, str, Definition]]) -> None:
        """Connect the stand-ins with what the body left."""
        for depth, name, stand_in in stand_ins:
            left = self.reaching[depth].get(name, frozenset()) - {stand_in}
            stand_in.sources += left
            if stand_in.read:
                mark(left)


def mark(definitions: frozenset[Definition]) -> None:
    """These definitions, and those whose values they pass on, are read."""
    stack = list(definitions)
    while stack:
        definition = stack.pop()
        definition.read = True
        stack.extend(source for source in definition.sources if not source.read)
