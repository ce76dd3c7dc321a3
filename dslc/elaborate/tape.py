"""One graph under construction and what it declares: weights, states, updates, layer rows."""

from __future__ import annotations

from dataclasses import dataclass, field

from dslc.elaborate.values import POISON, Poison
from dslc.ir.graph import InputKind
from dslc.ir.types import TensorType
from dslc.ops.value import Builder, Val
from dslc.program import LayerRow, State, Weight
from dslc.source import Span


@dataclass(eq=False)
class Tape:
    """`parent`: the graph around a `scan` body, from which values are captured."""

    builder: Builder
    training: bool
    parent: Tape | None = None
    weights: dict[str, Weight] = field(default_factory=dict)
    spans: dict[str, Span] = field(default_factory=dict)  # weight address -> what the user typed
    states: dict[str, State] = field(default_factory=dict)
    updates: dict[str, tuple[Val, Span]] = field(default_factory=dict)
    layers: list[LayerRow] = field(default_factory=list)
    homes: dict[tuple[int, str], Span] = field(default_factory=dict)  # addresses of one call of a network
    sources: dict[int, tuple[str, tuple[Val, ...]]] = field(default_factory=dict)  # value id -> operator and inputs, for warnings
    inputs: dict[tuple[str, str], Val] = field(default_factory=dict)
    weight_ids: dict[int, str] = field(default_factory=dict)  # value id of the input of a weight -> its address
    captured: dict[int, Val] = field(default_factory=dict)  # id in the parent -> input here
    given: set[int] = field(default_factory=set)  # ids of the inputs of a network that stands for itself
    looks_outside: bool = False  # something depends on where such an input comes from: on what made it, or on all paths to it
    calls: int = 0
    failed: set[str] = field(default_factory=set)  # addresses of layers of which a call failed (reported)

    @property
    def root(self) -> Tape:
        """The outermost graph: weights and states are declared there."""
        tape = self
        while tape.parent is not None:
            tape = tape.parent
        return tape

    def input(self, kind: InputKind, name: str, type: TensorType, place: str) -> Val:
        """The input of this kind and name, made when first asked for."""
        found = self.inputs.get((kind, name))
        if found is None:
            self.builder.place = place
            found = self.builder.input(kind, name, type)
            self.inputs[kind, name] = found
            if kind == "weight":
                self.weight_ids[found.id] = name
            elif kind == "input":
                self.given.add(found.id)
        return found

    def weight(self, weight: Weight) -> Val:
        """The graph's input for a weight."""
        return self.input("weight", weight.address, weight.type, weight.place)

    def local(self, value: Val) -> Val:
        """`value` in this graph: values of the graphs around are captured as inputs of the `scan` body."""
        if value.builder is self.builder:
            return value
        if self.parent is None:
            raise ValueError("a value of another graph")
        outer = self.parent.local(value)
        if outer.id not in self.captured:
            self.captured[outer.id] = self.builder.input("input", f"outer{len(self.captured)}", outer.type)
        return self.captured[outer.id]

    def key(self) -> Val:
        """The key of the random operators."""
        return self.builder.key() if self.parent is None else self.local(self.parent.key())

    def source(self, value: Val | Poison) -> tuple[str, tuple[Val, ...]]:
        """The operator that made a value and its inputs; ("", ()) for inputs of the graph."""
        if value is POISON or not isinstance(value, Val):
            return "", ()
        tape: Tape | None = self
        while tape is not None:
            if tape.builder is value.builder:
                tape.looks_outside |= value.id in tape.given
                return tape.sources.get(value.id, ("", ()))
            tape = tape.parent
        return "", ()
