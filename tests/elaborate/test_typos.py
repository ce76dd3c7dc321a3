"""What is suggested for slips of the hand and words of other libraries, and that the fix gives a program."""

from __future__ import annotations

import pytest

from dslc.elaborate.suggest import nearest
from dslc.loading import check_source
from dslc.render import apply_fixes
from dslc.source import Source

SPEC = """dslc 1

param width: int = 8
param table: list[list[int]] = [[1, 2], [3]]

block tail(x: [batch, features], units: int, squash: bool = true) {
  weight w: [features, units] = xavier
  total = []
  for row in table {
    total = total + [row[0]]
  }
  y = x @ w * total[0] + width
  return if squash then tanh(y) else y
}

network Net {
  input image: [batch, 64]
  hidden = sigmoid(image) -> dense(width) -> tanh
  scores = hidden + hidden * 2
  output logits = concat(scores, scores, axis=1) -> tail(10)
}

train {
  data = dataset("digits")
  net  = Net(data.image / 255)

  loss:       cross_entropy(net.logits, data.label)
  optimizer:  sgd(0.1, momentum=0.9)
  batch_size: 64
  epochs:     1
}
"""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("bool = true", "bool = True"), ("bool = true", "bool = ture"), ("sigmoid(image)", "sigmoyd(image)"),
        ("total = []", "totl = []"), ("  scores =", "  scoers ="),
        ("param width", "param widht"), ("momentum=0.9", 'momentum="0.9"'), ("batch_size: 64", "batch_size: 64.0"),
        ("epochs:     1", 'epochs:     "1"'), ("[[1, 2]", '[["1", 2]'), ("dense(width)", "Linear(width)"),
        ("cross_entropy", "CrossEntropyLoss"), ("optimizer:", "solver:"), ("  weight w", "  weigth w"), ("xavier", "glorot_uniform"),
        ("squash then", "squash them"), ("epochs:     1", "epochs      1"), ("units: int,", "units = int,"),
        ("units: int,", "units int,"), ("units: int,", "units: int,,"), ("tail(x: [batch", "tail(x [batch"),
        ("bool = true", "bool == true"), ("net.logits, data", "net.logits. data"), ("data.label)", "data,label)"),
        ("sgd(0.1, m", "sgd(0.1. m"),
        ("image) -> dense", "image) - > dense"), ("width) -> tanh", "width) - tanh"), ("sgd(0.1, m", "sgd((0.1, m"),
        ("x: [batch", "x: [[batch"), ("momentum=0.9", "momentum=0,9"),
        ("in table {", "in table"), ("in table {", "in table ["), ("in table {", "in table {{"), ("[row[0]]\n  }", "[row[0]]\n  ]"),
        ("epochs:     1\n}", "epochs:     1\n)"), ("epochs:     1\n}", "epochs:     1\n}}"), ("momentum=0.9)", "momentum=0.9}"),
        ("sgd(0.1", "sgd[0.1"), ("sgd(0.1", "sgd{0.1"), ("tail(10)", "tail10)"), ("tail(10)", "tail((10)"), ("tail(x: [b", "tail{x: [b"),
        ("features], units", "features]], units"),
        ("network Net {", "network Net ["), ("momentum=0.9", "momentum==0.9"), ("total = []", "total == []"),
        ("axis=1) -> tail", "axis=1) - tail"), ("width: int =", "width: intt ="), ("units: int,", "units: iint,"),
        ("width) -> tanh", "width) -> tamh"),
        ("  for row", "  ofr row"), ("  for row", "  fpr row"), ("  return if", "  ret if"), ("train {", "fit {"), ("  y = x", "  y == x"),
        ("param width", "parameter width"), ("input image", "data image"), ("hidden * 2", 'hidden * "2"'), ("[3]]", '["3"]]'),
        ("[3]]", "[3.0]]"), ("image) -> dense", "image) > dense"), ("dense(width) ->", "dense(widht) ->"), ("    total =", "    totla ="),
        ("tanh(y) else", "tanh(y} else"), ("axis=1) ->", "axis=1} ->"), ("[row[0]]\n", "[row[0}]\n"), ("[row[0]]\n", "[row[0)]\n"),
        ('"digits"', '"digits'), ('"digits"', 'digits"'), ("tanh(y)", "tanhy)"), ("sigmoid(image)", "sigmoidimage)"),
        ("dense(width)", "densewidth)"), ("tail(x: [b", "tailx: [b"), ("concat(scores, s", "concatscores, s"), ("Net(data.", "Netdata."),
        ("bool = true", "bool true"), ("table: list[list", "table: listlist"), ("x: [batch", "x: batch"),
        ("(scores, scores", "(scores. scores"), ("total = []", "total  []"),
        ("list[list[int]]", "list[lst[int]]"), ("Net(data.image / 255)", "Net(data,image / 255)"),
        ("sgd(0.1", "sgd0.1"), ("[[1, 2]", "[(1, 2]"),
    ],
)  # fmt: skip
def test_the_fix_gives_the_spec_back(right: str, wrong: str) -> None:
    assert SPEC.count(right) == 1
    text = SPEC.replace(right, wrong)
    program, found = check_source(Source("a.nn", text))
    assert program is None
    fixed = apply_fixes(Source("a.nn", text), found)
    assert "".join(fixed.split()) == "".join(SPEC.split())


def test_a_number_out_of_range_is_no_typo() -> None:
    _, found = check_source(Source("a.nn", SPEC.replace("momentum=0.9", "momentum=1.0")))
    assert {(item.code, item.fix) for item in found} == {("wrong-kind", None)}


def test_the_spec_itself_is_right() -> None:
    assert check_source(Source("a.nn", SPEC))[0] is not None


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("network Net", "network Nett", "there is no name `Net` here: did you mean `Nett`?"),
        ("[batch, features]", "[batch, featurs]", "there is no name `features` here: did you mean `featurs`?"),
        ("    total =", "    totl =", "the name `totl` is never used: did you mean `total`?"),
        ("image) -> dense", "image) - dense", "`-` stands where `->` is due"),
    ],
)
def test_a_name_that_is_misspelt_where_it_is_made(right: str, wrong: str, message: str) -> None:
    _, found = check_source(Source("a.nn", SPEC.replace(right, wrong)))
    assert next(item.message for item in found if item.severity == "error") == message


@pytest.mark.parametrize(
    ("word", "names", "right"),
    [
        ("unit", ("init", "units"), "units"), ("maen", ("mae", "mean"), "mean"), ("adamm", ("adamw", "adam"), "adam"),
        ("edc", ("enc", "dec"), "dec"), ("filters", ("channels", "filter"), "filter"),
    ],
)  # fmt: skip
def test_of_names_as_near_the_likelier_slip_is_meant(word: str, names: tuple[str, ...], right: str) -> None:
    assert nearest(word, names) == right
