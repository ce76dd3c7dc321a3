"""What can be wrong with a graph, its text, or the arrays that are fed to it."""

from __future__ import annotations

from dataclasses import dataclass

from dslc.diagnostics import Diagnostic


@dataclass(frozen=True, kw_only=True)
class InvalidGraph(Diagnostic):
    """A graph breaks a rule of the IR; a fault of the compiler."""

    graph: str
    where: str
    reason: str

    code = "internal-graph"
    words = "the graph {graph} is not valid at {where}: {reason}"
    hint = "this is a fault of dslc, please report it with the spec"


@dataclass(frozen=True, kw_only=True)
class NotGraphText(Diagnostic):
    """A text that is not the text form of a graph."""

    line: int
    column: int
    reason: str

    code = "ir-text"
    words = "line {line}, column {column}: {reason}"


@dataclass(frozen=True, kw_only=True)
class BadArray(Diagnostic):
    """An array that is missing or does not fit the graph's input."""

    name: str
    reason: str

    code = "array"
    words = "`{name}`: {reason}"


@dataclass(frozen=True, kw_only=True)
class NotRunnable(Diagnostic):
    """An operator that stands by its signature only."""

    operator: str
    place: str

    code = "not-runnable"
    words = "`{operator}` at {place} cannot be run yet: it can be checked and shown only"
