"""The text form of a graph: prints, and parses to exactly the same graph. One line for each input, node, output and update.

    graph LeNet {
      %0: f32[batch, 1, 28, 28] = input image @specs/lenet.nn:7:3
      %1: f32[500] = weight LeNet.dense0.b @specs/std/dense.nn:5:3
      %2: f32[batch, 784] = reshape(%0) {shape=(batch, 784)} "LeNet.flatten0/reshape0" @specs/lenet.nn:12:8
      %3: f32[batch, 392], %4: f32[batch, 392] = split(%2) {axis=1, parts=2} "LeNet/split0"
      output logits = %3
      update LeNet.norm0.mean = %4
    }

Names that are no plain words stand in quotes (JSON strings). Attributes: `true 3 1e-05 none "text" f32 batch (1, 2)`; a dim that is no
plain name stands in `<2*h + 1>`. A node with a body ends in `body graph NAME {`, its body's lines follow, then `}`.
Blank lines and lines that start with `#` say nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from dslc.ir.graph import Attr, Graph, Input, Node, Output
from dslc.ir.line import WORDS, Line
from dslc.ir.types import Dim, DType, TensorType

BARE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:/]*")
BARE_PLACE = re.compile(r"[!#-~]+")
BARE_DIM = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
KINDS = ("input", "data", "weight", "state", "key")


def to_text(graph: Graph) -> str:
    """The graph as text; `from_text` gives it back."""
    return "".join(f"{line}\n" for line in graph_lines(graph, "", ""))


def graph_lines(graph: Graph, indent: str, lead: str) -> Iterator[str]:
    """Its lines; `lead` stands before the first. Bodies nest as deep as `scan` does in a spec."""
    yield f"{indent}{lead}graph {name_text(graph.name)} {{"
    inner = indent + "  "
    for item in graph.inputs:
        yield f"{inner}%{item.id}: {graph.types[item.id]} = {item.kind} {name_text(item.name)}{place_text(item.place)}"
    for node in graph.nodes:
        if node.body is None:
            yield inner + node_text(graph, node)
        else:
            yield from graph_lines(node.body, inner, f"{node_text(graph, node)} body ")
    for word, items in (("output", graph.outputs), ("update", graph.updates)):
        for output in items:
            yield f"{inner}{word} {name_text(output.name)} = %{output.id}"
    yield indent + "}"


def node_text(graph: Graph, node: Node) -> str:
    results = ", ".join(f"%{id}: {graph.types[id]}" for id in node.outputs)
    inputs = ", ".join(f"%{id}" for id in node.inputs)
    attrs = ", ".join(f"{name_text(key)}={attr_text(value)}" for key, value in node.attrs.items())
    text = f"{results} = {name_text(node.op)}({inputs})"
    return text + (f" {{{attrs}}}" if attrs else "") + (f" {json.dumps(node.address)}" if node.address else "") + place_text(node.place)


def name_text(name: str) -> str:
    return name if BARE_NAME.fullmatch(name) else json.dumps(name)


def place_text(place: str) -> str:
    if not place:
        return ""
    return f" @{place}" if BARE_PLACE.fullmatch(place) else f" @{json.dumps(place)}"


def attr_text(value: Attr) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(attr_text(item) for item in value)})"
    if isinstance(value, DType):
        return value.value
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, Dim):
        text = str(value)
        return text if BARE_DIM.fullmatch(text) and text not in WORDS else f"<{text}>"
    return {True: "true", False: "false", None: "none"}[value] if value is None or isinstance(value, bool) else repr(value)


# ---- parsing ---------------------------------------------------------------------------------------------------------------------


class Reading:
    """One graph that is being read; `waiting` is the node around it, for a body."""

    def __init__(self, name: str, waiting: Mapping[str, Any] | None, line: int) -> None:
        self.name = name
        self.waiting = waiting
        self.line = line
        self.types: dict[int, TensorType] = {}
        self.parts: dict[str, list[Any]] = {"inputs": [], "nodes": [], "outputs": [], "updates": []}

    def define(self, line: Line) -> int:
        """`%3: f32[batch]`"""
        start = line.at
        id = line.value()
        if id in self.types:
            line.at = start
            line.fail(f"%{id} is defined a second time")
        line.take("sign", ":")
        self.types[id] = line.type()
        return id

    def graph(self, line: Line) -> Graph:
        missing = next((id for id in range(len(self.types)) if id not in self.types), None)
        if missing is not None:
            line.fail(f"the graph defines no %{missing}, but {len(self.types)} values: they are numbered without gaps")
        types = tuple(self.types[id] for id in range(len(self.types)))
        return Graph(name=self.name, types=types, **{key: tuple(items) for key, items in self.parts.items()})


def from_text(text: str) -> Graph:
    """The graph that `text` shows. Raises SpecError with line and column where it is not the text of a graph."""
    stack: list[Reading] = []
    finished: Graph | None = None
    line = Line("", 1)
    for number, content in enumerate(text.split("\n"), 1):
        line = Line(content, number)
        if not content.strip() or content.lstrip().startswith("#"):
            continue
        if finished is not None:
            line.fail("the graph has ended")
        try:
            finished = read_line(line, stack)
        except ValidationError as error:
            line.at = 0
            line.fail(error.errors()[0]["msg"])
    if finished is None:
        line.fail("the graph does not end: `}` is missing" if stack else "here stands `graph NAME {`")
    return finished


def read_line(line: Line, stack: list[Reading]) -> Graph | None:
    """Read one line into the innermost graph; the whole graph when this line ends it."""
    if not stack:
        stack.append(read_head(line, None))
        return None
    reading = stack[-1]
    kind, text = line.peek()
    if kind == "value":
        read_definition(line, stack)
    elif kind == "name" and text in ("output", "update"):
        line.take("name")
        name = line.name()
        line.take("sign", "=")
        reading.parts[text + "s"].append(Output(name=name, id=line.value()))
        line.end()
    elif kind == "sign" and text == "}":
        return read_end(line, stack)
    else:
        line.fail("here stands a value, `output`, `update` or `}`")
    return None


def read_head(line: Line, waiting: Mapping[str, Any] | None) -> Reading:
    """`graph NAME {`"""
    line.take("name", "graph")
    name = line.name()
    line.take("sign", "{")
    line.end()
    return Reading(name, waiting, line.number)


def read_definition(line: Line, stack: list[Reading]) -> None:
    """`%0: f32[n] = input x`, or the results of a node."""
    reading = stack[-1]
    ids = [reading.define(line)]
    while line.accept("sign", ","):
        ids.append(reading.define(line))
    line.take("sign", "=")
    word = line.name()
    if line.peek() != ("sign", "("):
        read_input(line, reading, ids, word)
        return
    fields = read_node(line, word, tuple(ids))
    if line.accept("name", "body"):
        stack.append(read_head(line, fields))
        return
    line.end()
    reading.parts["nodes"].append(Node(**fields))


def read_input(line: Line, reading: Reading, ids: list[int], kind: str) -> None:
    if kind not in KINDS or len(ids) > 1:
        line.fail(f"an input is one value of kind {', '.join(KINDS)}; a node has parentheses")
    name = line.name()
    reading.parts["inputs"].append(Input(kind=kind, name=name, id=ids[0], place=line.place()))  # type: ignore[arg-type]
    line.end()


def read_node(line: Line, op: str, outputs: tuple[int, ...]) -> dict[str, Any]:
    """`(%0, %1) {axis=1} "address" @place` behind the operator's name."""
    line.take("sign", "(")
    inputs: list[int] = []
    while not line.accept("sign", ")"):
        if inputs:
            line.take("sign", ",")
        inputs.append(line.value())
    attrs: dict[str, Attr] = {}
    if line.accept("sign", "{"):
        while not attrs or not line.accept("sign", "}"):
            if attrs:
                line.take("sign", ",")
            start = line.at
            key = line.name()
            if key in attrs:
                line.at = start
                line.fail(f"the attribute {key} stands twice")
            line.take("sign", "=")
            attrs[key] = line.attr()
    address = line.string() if line.peek()[0] == "string" else ""
    return {"op": op, "inputs": tuple(inputs), "outputs": outputs, "attrs": attrs, "address": address, "place": line.place()}


def read_end(line: Line, stack: list[Reading]) -> Graph | None:
    """`}`: the graph is complete; a body goes into the node that waits for it."""
    graph = stack[-1].graph(line)
    line.take("sign", "}")
    line.end()
    waiting = stack.pop().waiting
    if waiting is None:
        return graph
    stack[-1].parts["nodes"].append(Node(**waiting, body=graph))
    return None
