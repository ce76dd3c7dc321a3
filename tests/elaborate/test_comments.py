"""A comment within a statement changes nothing of what it says, wherever the statement's text is kept."""

from __future__ import annotations

from dslc.loading import check_source
from dslc.source import Source, Span

SPEC = """dslc 1

param kernels: list[list[  # one row for each axis
  int]] = [[1, 1]]

network Net {
  input x: [batch, 1, 28, 28]
  output y = x -> avg_pool(kernels[0]) -> flatten -> dense(2)
}

train {
  data = dataset("fashion-mnist")
  net  = Net(data.image  # 0 to 255
    / 255)
  loss: cross_entropy(net.y, data.label % 2)
  optimizer: sgd(0.1)
}
"""


def test_types_and_the_input_contract_are_without_comments() -> None:
    program, found = check_source(Source("spec.nn", SPEC))
    assert program is not None, found
    assert program.params[0].type == "list[list[int]]"
    assert program.trainings["train"].contract == {"x": "data.image / 255"}


def test_a_hash_in_a_string_is_no_comment() -> None:
    text = 'f("a # b",  # "c\n  2)'
    assert Span(Source("spec.nn", text), 0, len(text)).flat == 'f("a # b", 2)'
