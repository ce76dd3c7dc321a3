"""`verify` finds each way in which a graph can be broken, and names the node."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dslc.diagnostics import InternalError
from dslc.ir.text import from_text
from dslc.ir.verify import verify

GOOD = """\
graph G {
  %0: f32[batch, 3] = data x
  %1: f32[3] = weight w
  %2: f32[3] = state s
  %3: i64[3] = key key
  %4: f32[batch, 3] = multiply(%0, %1) "multiply0"
  %5: f32[batch] = sum(%4) {axis=1, keep=false} "sum0"
  %6: f32[batch, 3] = normal(%3) {mean=0.0, std=1.0, shape=(batch, 3), dtype=f32, stream=5} "normal0"
  %7: f32[3] = add(%2, %1) "add0"
  output y = %5
  output z = %6
  update s = %7
}
"""


def change(before: str, after: str) -> Callable[[], str]:
    def text() -> str:
        assert before in GOOD
        return GOOD.replace(before, after)

    return text


def test_a_good_graph_passes() -> None:
    verify(from_text(GOOD))


@pytest.mark.parametrize(
    ("text", "where", "reason"),
    [
        (change("multiply(%0, %1)", "multiply(%0, %5)"), "multiply0", "%5 is used before it is defined"),
        (change("multiply(%0, %1)", "product(%0, %1)"), "multiply0", "there is no such operator"),
        (change("{axis=1, keep=false}", "{axis=1}"), "sum0", "complete ones"),
        (change("keep=false", "keep=0"), "sum0", "true or false"),
        (change("{axis=1, keep=false}", "{axis=1, keep=false, more=1}"), "sum0", "has no setting `more`"),
        (change("{axis=1, keep=false}", "{axis=2, keep=false}"), "sum0", "there is no axis 2"),
        (change("%5: f32[batch] =", "%5: f32[3] ="), "sum0", "inference gives f32[batch]"),
        (change("%5: f32[batch] =", "%5: f64[batch] ="), "sum0", "inference gives f32[batch]"),
        (change('"sum0"', '"multiply0"'), "multiply0", "two have this address"),
        (change(' "sum0"', ""), "an empty address", "every address has a text"),
        (change("data x", "data w"), "w", "two have this input name"),
        (change("output z", "output y"), "y", "two have this output name"),
        (change("update s = %7", "update s = %5"), "s", "its new value f32[batch]"),
        (change("normal(%3)", "normal(%2)"), "normal0", "its last input is not the key"),
        (change("i64[3] = key", "i64[2] = key"), "key", "of type i64[3]"),
        (change("shape=(batch, 3)", "shape=(time, 3)"), "normal0", "inference gives f32[time, 3]"),
        (
            lambda: GOOD.replace("shape=(batch, 3)", "shape=(time, 3)").replace("%6: f32[batch, 3]", "%6: f32[time, 3]"),
            "normal0",
            "the size time is not known",
        ),
        (change("output y = %5", "output y = %50"), "y", "its value %50 is not defined"),
        (change('"add0"', '"add0" body graph B {\n  }'), "add0", "a body belongs to `scan`"),
    ],
)
def test_a_broken_graph_is_refused(text: Callable[[], str], where: str, reason: str) -> None:
    with pytest.raises(InternalError) as caught:
        verify(from_text(text()))
    (diagnostic,) = caught.value.diagnostics
    assert where in diagnostic.message
    assert reason in diagnostic.message


def test_values_without_definition_and_with_two_are_refused() -> None:
    graph = from_text(GOOD)
    with pytest.raises(InternalError, match="nothing defines it"):
        verify(graph.model_copy(update={"types": (*graph.types, graph.types[0])}))
    with pytest.raises(InternalError, match="defined a second time"):
        verify(graph.model_copy(update={"nodes": (*graph.nodes, graph.nodes[0].model_copy(update={"address": "again"}))}))
    with pytest.raises(InternalError, match="has no type"):
        verify(graph.model_copy(update={"types": graph.types[:-1]}))
