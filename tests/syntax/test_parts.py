"""The two other start symbols: heads of operator rows, and values given from outside."""

from __future__ import annotations

import pytest

from dslc.diagnostics import SpecError
from dslc.elaborate.settings import PLACES
from dslc.syntax.parse import parse_literal, parse_signature
from dslc.syntax.tokens import SETTINGS
from tests.syntax.sexpr import show


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("lr=0.02", ("lr",), "0.02"),
        ("train.epochs = 3", ("train", "epochs"), "3"),
        ("train.step.loss=-1e-4", ("train", "step", "loss"), "(neg 0.0001)"),
        ('mode="fast"', ("mode",), "'fast'"),
        ("table=[[0, 1], [2]]", ("table",), "[[0 1] [2]]"),
        ("deep=true", ("deep",), "true"),
    ],
)
def test_literals(text: str, path: tuple[str, ...], value: str) -> None:
    found, expression = parse_literal(text, "--set")
    assert (found, show(expression)) == (path, value)


@pytest.mark.parametrize(
    "text", ["", "lr", "lr=", "=3", "lr=3 4", "lr==3", "3=4", "lr=(", "lr='a'", "a b=3", "lr=1;2", "lr=" + "(" * 100, "lr=1e999"]
)
def test_other_texts_are_refused_in_one_error(text: str) -> None:
    with pytest.raises(SpecError) as raised:
        parse_literal(text, "--set")
    assert len(raised.value.diagnostics) == 1
    assert all(item.span is None or item.span.source.path == "--set" for item in raised.value.diagnostics)


def test_signatures() -> None:
    found = parse_signature("conv(x: f[n, c, *s], w: f[o, c, *k], stride: sizes = 1) -> f[n, o, *t], i64[n]")
    assert found.name == "conv"
    assert [parm.name.id for parm in found.parms] == ["x", "w", "stride"]
    assert [parm.default is not None for parm in found.parms] == [False, False, True]
    assert [[show(dim) for dim in result.dims or ()] for result in found.results] == [["n", "o", "*t"], ["n"]]


@pytest.mark.parametrize("text", ["conv", "conv(x)", "conv(x) ->", "conv(x: 3) -> f[n]", "conv(x) -> f[n] rest"])
def test_broken_signatures_are_faults_of_the_table(text: str) -> None:
    with pytest.raises(ValueError, match="conv"):
        parse_signature(text)


def test_the_parser_knows_the_words_of_all_settings() -> None:
    assert {name for names in PLACES.values() for name in names} == SETTINGS
