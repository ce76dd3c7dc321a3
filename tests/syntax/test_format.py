"""The formatter: the tree and all comments stay, a second run changes nothing, and the form is the documented one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from dslc.diagnostics import Sink, SpecError
from dslc.source import Source
from dslc.syntax import ast
from dslc.syntax.format import format_source
from dslc.syntax.parse import parse
from tests.syntax.strategies import texts

ROOT = Path(__file__).parents[2]
SPECS = sorted([*(ROOT / "specs").rglob("*.nn"), *(ROOT / "tests" / "targets").glob("*.nn")])


def fmt(text: str) -> str:
    return format_source(Source("a.nn", text))


def tree(text: str) -> tuple[object, list[str]]:
    sink = Sink()
    file = parse(Source("a.nn", text), sink)
    assert list(sink) == []
    return plain(file.statements), [comment.span.text.rstrip() for comment in file.comments]


def plain(node: object) -> object:
    """A tree without spans, written independently of the formatter's own comparison."""
    if isinstance(node, tuple):
        return [plain(item) for item in node]
    if isinstance(node, ast.Node):
        return [type(node).__name__, *(plain(getattr(node, f.name)) for f in dataclasses.fields(node) if f.name != "span")]
    return node


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(texts())
def test_tree_and_comments_stay_and_a_second_run_changes_nothing(text: str) -> None:
    once = fmt(text)
    assert tree(once) == tree(text)
    assert fmt(once) == once
    assert not any(line != line.rstrip() for line in once.split("\n"))
    assert "\n\n\n" not in once


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.name)
def test_shipped_specs_are_in_canonical_form(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert fmt(text) == text


def test_errors_are_raised_not_formatted() -> None:
    with pytest.raises(SpecError):
        fmt("dslc 1\nx = = 3\n")


CASES = {
    "blanks": ("dslc 1\nx=a+b*-c^ - 2//3\n", "dslc 1\n\nx = a + b * -c^-2 // 3\n"),
    "calls": ("dslc 1\ny = f (a , k = 3,s=if a then b else c ) [ : ,_, 1 : ]\n",
              "dslc 1\n\ny = f(a, k=3, s = if a then b else c)[:, _, 1:]\n"),
    "parameters": ("dslc 1\nblock f(x:[b,*s],k:int=3){\nreturn x\n}", "dslc 1\n\nblock f(x: [b, *s], k: int = 3) {\n  return x\n}\n"),
    "blank lines": ("dslc 1\n\n\n\nnetwork N {\n\n  x = 1\n\n\n  y = 2\n\n}\nnetwork M {\n}\n",
                    "dslc 1\n\nnetwork N {\n  x = 1\n\n  y = 2\n}\n\nnetwork M {\n}\n"),
    "else": ("dslc 1\nif a {\n} \n\n else if b\n{ x = 1 }\nelse { }", "dslc 1\n\nif a {\n} else if b {\n  x = 1\n} else {\n}\n"),
    "chain": ("dslc 1\nx = a ->\n b\n -> c -> d\n", "dslc 1\n\nx = a -> b\n  -> c -> d\n"),
    "settings": ("dslc 1\ntrain {\nloss: a\nmetric top2: b\nbatch_size: 4\n\nsteps: 3\n}",
                 "dslc 1\n\ntrain {\n  loss:       a\n  metric top2: b\n  batch_size: 4\n\n  steps: 3\n}\n"),
    "named settings": ("dslc 1\nloss a: 1\nloss bcd: 2\nclip: 3\n", "dslc 1\n\nloss a:   1\nloss bcd: 2\nclip: 3\n"),
    "columns kept": ("dslc 1\nab  = 1\nc   = 2\nd = 3\n", "dslc 1\n\nab = 1\nc  = 2\nd = 3\n"),
    "rules": ('dslc 1\nrule "a" {\n frozen: true\n}\nrule "b" {\n rate: 1\n steps: 2\n}\n',
              'dslc 1\n\nrule "a" { frozen: true }\nrule "b" {\n  rate:  1\n  steps: 2\n}\n'),
    "comments": ("# top\ndslc 1 # one\n# about N\nnetwork N { # two\n      # three\n x = 1 # four\n # five\n} # six\n# end",
                 "# top\ndslc 1  # one\n\n# about N\nnetwork N {  # two\n  # three\n  x = 1  # four\n  # five\n}  # six\n# end\n"),
    "comment columns": ("dslc 1\nx = 1      # a\nyy = 2     # b\nz = 3 # c\n", "dslc 1\n\nx = 1   # a\nyy = 2  # b\nz = 3  # c\n"),
    "comments inside": ("dslc 1\nx = f(a, # one\n# two\nb,\n)", "dslc 1\n\nx = f(a,  # one\n  # two\n  b\n)\n"),
    "comments round else": ("dslc 1\nif a {\n} # one\n# two\nelse {\n}", "dslc 1\n\nif a {\n}  # one\n    # two\nelse {\n}\n"),
    "number before a dot": ("dslc 1\nx = 3 .y\n", "dslc 1\n\nx = 3 .y\n"),
    "range": ("dslc 1\nx = y[.. , 0, ..]\nparam lr : float=0.1 in 1e-4 .. 1 log",
              "dslc 1\n\nx = y[.., 0, ..]\nparam lr: float = 0.1 in 1e-4..1 log\n"),
    "line ends": ("dslc 1\r\nx = 1 # a\r\n", "dslc 1\n\nx = 1  # a\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_canonical_form(name: str) -> None:
    before, after = CASES[name]
    assert fmt(before) == after
    assert fmt(after) == after


def test_long_lines_are_broken_at_the_loosest_place_that_fits() -> None:
    stages = " -> ".join(f"stage_number_{n}(channels={n})" for n in range(8))
    heads = ", ".join(f"parameter_{n}: int = {n}" for n in range(8))
    text = fmt(f"dslc 1\nblock f(x: [b], {heads}) {{\n  y = x -> {stages}\n  return y\n}}\n")
    lines = text.split("\n")
    assert max(len(line) for line in lines) <= 120
    assert lines[3].startswith("    parameter_") and lines[5].startswith("    -> stage_number_")
    assert fmt(text) == text


def test_a_long_chain_is_formatted_in_linear_time() -> None:
    text = "dslc 1\n\nx = y" + " -> f(1)" * 10_000 + "\n"
    assert fmt(text).count("-> f(1)") == 10_000
