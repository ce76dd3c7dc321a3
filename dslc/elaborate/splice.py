"""Calls of a network that stands finished: its graph is copied into that of the caller, instead of being elaborated again.

The copy is what elaborating would give, node by node: values come in the same order, constants and inputs that the caller has are
shared, and nodes are numbered in the caller's graph. Where that is not certain (`fits`), the call is elaborated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from dslc.elaborate.frame import Frame
from dslc.elaborate.tape import Tape
from dslc.elaborate.values import NetworkValue, Value
from dslc.ir.graph import Attr, Input, Node
from dslc.ir.types import DType, TensorType
from dslc.ops.philox import stream_of
from dslc.ops.table import lookup
from dslc.ops.value import Val
from dslc.program import State, Weight
from dslc.source import Span


@dataclass(frozen=True, eq=False)
class Finished:
    """A network elaborated by itself, in one phase. `names`: what its names are worth in the end; `phased`: it reads `training`."""

    tape: Tape
    inputs: Mapping[str, TensorType]
    names: Mapping[str, Value]
    outputs: tuple[str, ...]
    phased: bool

    @cached_property
    def parts(self) -> list[Input | Node]:
        """Inputs and nodes in the order in which their values were made."""
        builder = self.tape.builder
        return sorted([*builder.inputs, *builder.nodes], key=lambda part: part.id if isinstance(part, Input) else part.outputs[0])

    @cached_property
    def constants(self) -> dict[int, tuple[bool | int | float, DType]]:
        """The shared constants of its graph by their ids."""
        return self.tape.builder.constants


def fits(frame: Frame, done: Finished, arguments: Mapping[str, Value]) -> bool:
    """Whether a call is the same as the network by itself: its inputs are of the declared types, and no more is known of them."""
    tape = frame.tape
    if done.tape.looks_outside or (frame.frozen and frame.training) or arguments.keys() != done.inputs.keys():
        return False
    for name, type in done.inputs.items():
        value = arguments[name]
        if not isinstance(value, Val) or value.type != type or not type.rank or value.id in tape.weight_ids:
            return False
    return agree(done.tape.weights, tape.weights) and agree(done.tape.states, tape.states)


def agree(mine: Mapping[str, Weight] | Mapping[str, State], known: Mapping[str, Weight] | Mapping[str, State]) -> bool:
    """Whether what the caller has already is of the same types."""
    return all(address not in known or known[address].type == item.type for address, item in mine.items())


def spliced(frame: Frame, done: Finished, arguments: Mapping[str, Val], span: Span) -> NetworkValue:
    """The called network, after its graph has been copied."""
    session = frame.session
    session.step(span, len(done.parts))
    session.phase_read |= done.phased
    copy = Copy(frame, done, arguments)
    copy.run()
    if len(frame.tape.builder.nodes) > session.most_nodes:
        session.stop(frame.located(session.too_many_nodes(span)))
    return NetworkValue(frame.name, Names(copy, done.names), done.outputs, span)


class Copy:
    """One copy of a finished graph. `made`: the values of the copy, in the order of those of the original."""

    def __init__(self, frame: Frame, done: Finished, arguments: Mapping[str, Val]) -> None:
        self.done, self.arguments, self.depth = done, arguments, frame.depth
        self.old, self.tape, self.builder = done.tape, frame.tape, frame.tape.builder
        self.made: list[Val] = []

    def run(self) -> None:
        for part in self.done.parts:
            if isinstance(part, Input):
                self.made.append(self.input(part))
            else:
                self.made += self.node(part)
        for address, (value, span) in self.old.updates.items():
            self.tape.updates[address] = (self.made[value.id], span)
        self.tape.layers += [row.changed(depth=row.depth + self.depth) for row in self.old.layers]

    def input(self, part: Input) -> Val:
        """The argument of the call; a weight, a state or the key as the caller's graph has it."""
        name = part.name
        if part.kind == "input":
            return self.arguments[name]
        if part.kind == "key":
            self.builder.place = part.place
            return self.tape.key()
        if part.kind == "weight":
            self.tape.weights.setdefault(name, self.old.weights[name])
            self.tape.spans.setdefault(name, self.old.spans[name])
        else:
            self.tape.states.setdefault(name, self.old.states[name])
        return self.tape.input(part.kind, name, self.old.builder.types[part.id], part.place)

    def node(self, part: Node) -> tuple[Val, ...]:
        """The results of a node's copy: with the number that it has here, and a random stream of its own."""
        builder = self.builder
        builder.place, builder.scope = part.place, part.address.rpartition("/")[0]
        if part.outputs[0] in self.done.constants:
            return (builder.constant(*self.done.constants[part.outputs[0]]),)
        inputs = [self.made[id] for id in part.inputs]
        address = builder.address(part.op)
        attrs: dict[str, Attr] = part.attrs | {"stream": stream_of(address)} if lookup(part.op).random else part.attrs
        results = tuple([builder.value(self.old.builder.types[id]) for id in part.outputs])
        ids = tuple([value.id for value in inputs]), tuple([value.id for value in results])
        builder.nodes.append(part.changed(inputs=ids[0], outputs=ids[1], attrs=attrs, address=address))
        if part.outputs[0] in self.old.sources:
            self.tape.sources |= dict.fromkeys((value.id for value in results), (part.op, tuple(inputs)))
        return results

    def value(self, value: Value) -> Value:
        """What a name of the original is worth in the copy."""
        if isinstance(value, Val):
            return self.made[value.id]
        if isinstance(value, tuple):
            return tuple([self.value(item) for item in value])
        if isinstance(value, NetworkValue):
            return replace(value, names=Names(self, value.names))
        return value


class Names(Mapping[str, Value]):
    """The names of the original with what they are worth in the copy, found when they are read."""

    def __init__(self, copy: Copy, names: Mapping[str, Value]) -> None:
        self.copy, self.names = copy, names

    def __getitem__(self, name: str) -> Value:
        return self.copy.value(self.names[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)
