"""The renderers: carets under the right characters, nothing that moves the cursor, JSON as documented, fixes that do not overlap."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from dslc.diagnostics import Diagnostic, Edit, Fix, Label
from dslc.loading import check_source
from dslc.render import apply_fixes, columns, render_json, render_text
from dslc.source import Source, Span

TEXT = "dslc 1\n\n\n\n  input x: [batch, 28, 28]\n\n\n\n  h = x -> project\n\ta\t漢字b = 3\x1b[31m\n"
SPEC = Source("specs/mlp.nn", TEXT)


@dataclass(frozen=True, kw_only=True)
class Sample(Diagnostic):
    said: str = "said"
    under: str = ""
    todo: str = ""
    code = "unknown-name"
    words = "{said}"
    label = "{under}"
    hint = "{todo}"


def at(text: str, source: Source = SPEC) -> Span:
    start = source.text.index(text)
    return Span(source, start, start + len(text))


def test_the_example_of_the_documentation() -> None:
    found = Sample(
        said="project needs 784 features, and x has 28", under="`project` takes [batch, 784]",
        todo="flatten it first: x -> flatten -> project",
        span=at("project"), labels=(Label(Span(SPEC, 18, 19), "x is declared here, with 28 features"),),
    )  # fmt: skip
    assert render_text([found]) == (
        "error[unknown-name]: project needs 784 features, and x has 28\n"
        "  --> specs/mlp.nn:9:12\n"
        "   |\n"
        " 5 |   input x: [batch, 28, 28]\n"
        "   |         - x is declared here, with 28 features\n"
        "   …\n"
        " 9 |   h = x -> project\n"
        "   |            ^^^^^^^ `project` takes [batch, 784]\n"
        "   = help: flatten it first: x -> flatten -> project\n"
        "   = note: dslc explain unknown-name\n"
    )


def body(found: Sample) -> list[str]:
    return render_text([found]).split("\n")[3:-2]


def test_several_marks_on_a_line_have_their_labels_below_from_right_to_left() -> None:
    found = Sample(under="here", span=at("project"), labels=(Label(at("h ="), "first"), Label(at("x ->"), "second")))
    assert body(found) == [
        " 9 |   h = x -> project",
        "   |   --- ---- ^^^^^^^ here",
        "   |   |   |",
        "   |   |   second",
        "   |   first",
    ]


def test_tabs_wide_characters_and_control_characters() -> None:
    found = Sample(under="three", span=at("3"), labels=(Label(at("字"), "wide"), Label(at("a\t"), "")))
    assert body(found) == [
        " 10 |     a   漢字b = 3<U+001B>[31m",
        "    |     ----  --    ^ three",
        "    |           |",
        "    |           wide",
    ]


def test_an_empty_span_has_one_caret_also_at_the_end_of_the_file() -> None:
    assert body(Sample(under="end", span=Span(SPEC, len(TEXT), len(TEXT)))) == [" 11 |", "    | ^ end"]
    assert body(Sample(span=Span(SPEC, 11, 11)))[-1] == "   |  ^"


def test_a_span_over_several_lines_is_marked_to_the_end_of_the_first() -> None:
    assert body(Sample(span=Span(SPEC, at("input").start, len(TEXT)))) == [
        " 5 |   input x: [batch, 28, 28]",
        "   |   ^^^^^^^^^^^^^^^^^^^^^^^^",
    ]


def test_other_files_follow_and_a_single_line_between_is_shown() -> None:
    other = Source("lib.nn", "one\ntwo\nthree\n")
    found = Sample(span=at("one", other), labels=(Label(at("three", other), "last"), Label(at("input"), "elsewhere")))
    assert render_text([found]).split("\n")[1:-2] == [
        "  --> lib.nn:1:1",
        "   |",
        " 1 | one",
        "   | ^^^",
        " 2 | two",
        " 3 | three",
        "   | ----- last",
        "  ::: specs/mlp.nn:5:3",
        "   |",
        " 5 |   input x: [batch, 28, 28]",
        "   |   ----- elsewhere",
    ]


def test_long_lines_are_cut_round_the_mark() -> None:
    long = Source("a.nn", "x" * 5000 + "!" + "y" * 5000)
    lines = body(Sample(span=at("!", long)))
    assert max(len(line) for line in lines) < 160
    assert lines[0][lines[1].index("^")] == "!"


def test_no_span_dropped_errors_and_lines_of_help() -> None:
    assert render_text([Sample(todo="one\ntwo")], dropped=3) == (
        "error[unknown-name]: said\n  = help: one\n          two\n  = note: dslc explain unknown-name\n\n"
        "note: 3 more errors are not shown\n"
    )
    assert render_text([]) == ""


def test_names_and_messages_cannot_move_the_cursor() -> None:
    evil = Source("a\x1b[2J\u202e.nn", "dslc 1\n")
    text = render_text([Sample(said="\x1b]0;title\x07\u202e\n", under="\r", todo="\x9b", span=Span(evil, 0, 4), fix=Fix("\x08", ()))])
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)


def test_colours_only_if_asked_and_they_change_no_text() -> None:
    found = Sample(under="here", todo="do", span=at("project"), labels=(Label(at("input"), "there"),))
    coloured = render_text([found], color=True)
    assert "\x1b[1;31m" in coloured
    assert re.sub("\x1b\\[[0-9;]*m", "", coloured) == render_text([found])


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
def test_any_text_and_any_spans_render(text: str, start: int, end: int, other: int) -> None:
    source = Source("a.nn", text)
    start, end = sorted((min(start, len(text)), min(end, len(text))))
    other = min(other, len(text))
    found = Sample(under="a", span=Span(source, start, end), labels=(Label(Span(source, other, other), "b"),))
    lines = render_text([found]).split("\n")
    carets = next(line for line in lines[3:] if "^" in line and line.lstrip()[:1] == "|")
    assert columns(carets) < 400
    assert json.loads(render_json([found]))["diagnostics"][0]["spans"][0]["start"]["offset"] == start


def test_json_is_the_documented_form() -> None:
    document = (Path(__file__).parents[2] / "docs" / "diagnostics.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", document, re.DOTALL)
    source = Source("mlp.nn", "dslc 1\n\nnetwork Mlp {\n  input x: [batch, 28, 28]\n  h = x => flatten -> dense(3)\n  output y = h\n}\n")
    _, found = check_source(source)
    assert json.loads(render_json(found)) == json.loads(example)


def test_json_without_a_place() -> None:
    (only,) = json.loads(render_json([Sample(todo="do")], dropped=2))["diagnostics"]
    assert only == {
        "code": "unknown-name", "severity": "error", "message": "said", "file": None, "spans": [], "help": "do", "fix": None
    }  # fmt: skip


def edit(text: str, by: str) -> Edit:
    return Edit(at(text), by)


def test_fixes_that_overlap_are_left_out_whole_and_equal_ones_are_made_once() -> None:
    first = Sample(fix=Fix("a", (edit("project", "dense(3)"), edit("h =", "k ="))))
    overlapping = Sample(fix=Fix("b", (edit("x -> project", "y"), edit("input", "never"))))
    again = Sample(fix=Fix("c", (edit("h =", "k ="),)))
    other_file = Sample(fix=Fix("d", (Edit(Span(Source("b.nn", "b"), 0, 1), "never"),)))
    fixed = apply_fixes(SPEC, [first, overlapping, again, other_file])
    assert fixed == TEXT.replace("project", "dense(3)").replace("h =", "k =")
