"""The text form prints and parses exactly, and says where a text is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dslc.diagnostics import SpecError
from dslc.ir.errors import NotGraphText
from dslc.ir.graph import Graph, Input, Node, Output
from dslc.ir.text import from_text, to_text
from dslc.ir.types import Dim, DType, TensorType

LENET = """\
graph LeNet {
  %0: f32[batch, 1, 28, 28] = input image @specs/lenet.nn:7:3
  %1: f32[500] = weight LeNet.dense0.b @specs/std/dense.nn:5:3
  %2: f32[batch, 784] = reshape(%0) {shape=(batch, 784)} "LeNet.flatten0/reshape0" @specs/lenet.nn:12:8
  %3: f32[batch, 392], %4: f32[batch, 392] = split(%2) {axis=1, parts=2} "LeNet/split0"
  %5: f32[] = size() {dim=<2*batch + 1>, dtype=f32, note="a\\n\\"b\\"", none=none, flags=(true, false), pad=((0, 1), (2, 3)), x=1e-05}
  output logits = %3
  output "odd name" = %5
  update LeNet.norm0.mean = %4
}
"""

names = st.text(max_size=8) | st.sampled_from(["a", "grad:LeNet.w", "x.y/z0", "graph", "true", "output", "f32", '"', "\u2028", "@p", "é"])
words = st.sampled_from(["batch", "time", "h", "f32", "true", "none"])


@st.composite
def dims(draw: st.DrawFn) -> Dim:
    dim = Dim.of(draw(st.integers(0, 5)))
    for _ in range(draw(st.integers(0, 3))):
        dim = dim + draw(st.integers(-3, 3)) * Dim.of(draw(words)) * (Dim.of(draw(words)) if draw(st.booleans()) else 1)
        if draw(st.booleans()):
            dim = (dim + draw(st.integers(-2, 2))) // draw(st.integers(1, 4))
    return dim


types = st.builds(lambda dtype, shape: TensorType(dtype=dtype, shape=tuple(shape)), st.sampled_from(DType), st.lists(dims(), max_size=3))
leaves = (
    st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6)
    | st.sampled_from(DType)
    | dims()
    | st.none()
)
pairs = st.lists(leaves, max_size=3).map(tuple)
attrs = st.dictionaries(names, leaves | pairs | st.lists(pairs, max_size=2).map(tuple), max_size=3)


@st.composite
def graphs(draw: st.DrawFn, depth: int = 0) -> Graph:
    """Any graph whose values are defined in order: odd names, attributes and places, bodies."""
    found: list[TensorType] = []

    def value() -> int:
        found.append(draw(types))
        return len(found) - 1

    inputs = [
        Input(kind=draw(st.sampled_from(["input", "data", "weight", "state", "key"])), name=draw(names), id=value(), place=draw(names))
        for _ in range(draw(st.integers(1, 3)))
    ]
    nodes = [
        Node(
            op=draw(names),
            inputs=tuple(draw(st.lists(st.integers(0, len(found) - 1), max_size=3))),
            outputs=tuple(value() for _ in range(draw(st.integers(1, 2)))),
            attrs=draw(attrs),
            body=draw(graphs(depth + 1)) if depth < 2 and draw(st.integers(0, 5)) == 0 else None,
            place=draw(names),
            address=draw(names),
        )
        for _ in range(draw(st.integers(0, 3)))
    ]
    results = st.builds(Output, name=names, id=st.integers(0, len(found) - 1))
    outputs, updates = draw(st.lists(results, max_size=2)), draw(st.lists(results, max_size=2))
    return Graph(
        name=draw(names), types=tuple(found), inputs=tuple(inputs), nodes=tuple(nodes), outputs=tuple(outputs), updates=tuple(updates)
    )


def exact(value: object) -> object:
    """Attributes with their types: 1, 1.0 and true are equal in Python; floats by their digits, for the sign of zero."""
    if isinstance(value, tuple):
        return tuple(exact(item) for item in value)
    return (type(value), repr(value))


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_parsing_is_the_inverse_of_printing(graph: Graph) -> None:
    text = to_text(graph)
    found = from_text(text)
    assert found == graph
    assert to_text(found) == text
    for mine, other in zip(graph.nodes, found.nodes, strict=True):
        assert [(key, exact(value)) for key, value in mine.attrs.items()] == [(key, exact(value)) for key, value in other.attrs.items()]


def test_a_text_as_people_write_it_is_printed_unchanged() -> None:
    assert to_text(from_text(LENET)) == LENET


def test_blank_lines_and_comments_say_nothing() -> None:
    text = "# a graph\n\n" + LENET.replace("  output logits", "\n  # what it gives\n  output logits") + "\n# end\n"
    assert from_text(text) == from_text(LENET)


@pytest.mark.parametrize(
    ("text", "line", "column", "reason"),
    [
        ("", 1, 1, "here stands `graph NAME {`"),
        ("graph G {\n", 2, 1, "the graph does not end"),
        ("graph G {\n}\nmore", 3, 1, "the graph has ended"),
        ("graph {\n}", 1, 7, "here stands name"),
        ("graph G {\n  %0: f32[] = input x\n  output y = %0 %0\n}", 3, 17, "the line ends here"),
        ("graph G {\n  %0: f32[n] = input\n}", 2, 21, "here stands name, not the end of the line"),
        ("graph G {\n  %0: q8[n] = input x\n}", 2, 7, "here stands a type"),
        ("graph G {\n  %0: f32[n +] = input x\n}", 2, 7, "not a dim"),
        ("graph G {\n  %0: f32[n // 0] = input x\n}", 2, 7, "a dim is divided"),
        ("graph G {\n  %0: f32[] = input x\n  %0: f32[] = input y\n}", 3, 3, "%0 is defined a second time"),
        ("graph G {\n  %1: f32[] = input x\n}", 3, 1, "the graph defines no %0"),
        ("graph G {\n  %0: f32[] = exp(%1) {a=1, a=2}\n}", 2, 29, "the attribute a stands twice"),
        ("graph G {\n  %0: f32[] = exp(%1) {a=(1, (2)}\n}", 2, 33, "here stands ), not }"),
        ("graph G {\n  %0: f32[] = exp(%1) {a=1e999}\n}", 2, 26, "out of range"),
        ("graph G {\n  %0: f32[] = exp(%1) {a=?}\n}", 2, 26, "this is not understood"),
        ('graph G {\n  %0: f32[] = exp(%1) {a="\\q"}\n}', 2, 26, "this string is not valid"),
        ("graph G {\n  %0: f32[] = exp(%1) {a=" + "1" * 5000 + "}\n}", 2, 26, "integer string conversion"),
        ("graph G {\n  %0: f32[], %1: f32[] = input x\n}", 2, 32, "an input is one value"),
        ("graph G {\n  output x %0\n}", 2, 12, "here stands =, not %0"),
        ("graph G {\n  what\n}", 2, 3, "here stands a value"),
    ],
)
def test_a_wrong_text_is_refused_with_its_place(text: str, line: int, column: int, reason: str) -> None:
    with pytest.raises(SpecError) as caught:
        from_text(text)
    (diagnostic,) = caught.value.diagnostics
    assert isinstance(diagnostic, NotGraphText)
    assert reason in diagnostic.reason
    assert (diagnostic.line, diagnostic.column) == (line, column)


def test_deep_nesting_needs_no_recursion() -> None:
    with pytest.raises(SpecError):
        from_text("graph G {\n  %0: f32[] = exp() {a=" + "(" * 100_000 + "}\n}")
