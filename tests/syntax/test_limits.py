"""Hostile and very large texts: no recursion on the depth of the input, each limit has its own message, all in bounded time."""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from dslc.diagnostics import LIMIT, Sink, SpecError
from dslc.loading import check_source
from dslc.source import Source
from dslc.syntax.parse import parse
from dslc.syntax.reader import read_source
from dslc.syntax.recovery import Run
from dslc.syntax.scan import scan
from tests.syntax.sexpr import children, parsed

MIB = 1 << 20
SECONDS = 30  # far above what is measured (6 s); a quadratic step takes minutes


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """Each test with little stack and within its time."""
    before, start = sys.getrecursionlimit(), time.monotonic()
    sys.setrecursionlimit(300)
    yield
    sys.setrecursionlimit(before)
    assert time.monotonic() - start < SECONDS


DEEP = {
    "a chain of 20,000 stages": "x = y" + " -> f(1)" * 20_000,
    "20,000 terms": "x = y" + " + z" * 20_000,
    "10,000 else if": "if a {\n}" + " else if b {\n}" * 10_000,
    "10,000 statements": "x = 1\n" * 10_000,
    "10,000 calls": "x = f" + "(1)" * 10_000,
    "20,000 items": "x = [" + "1, " * 20_000 + "]",
    "64 brackets": "x = " + "(" * 64 + "1" + ")" * 64,
    "64 lists": "x = " + "[" * 64 + "]" * 64,
    "64 bodies": "if a {\n" * 64 + "}\n" * 64,
    "64 signs": "x = " + "-" * 64 + "y",
    "64 powers": "x = " + "y^" * 64 + "y",
}


@pytest.mark.parametrize("name", DEEP)
def test_deep_texts_are_parsed(name: str) -> None:
    file, codes = parsed(f"dslc 1\n{DEEP[name]}\n")
    assert codes == [] and file.complete


TOO_DEEP = {
    "65 brackets": "x = " + "(" * 65 + "1" + ")" * 65,
    "100,000 brackets": "x = " + "[" * 100_000,
    "65 bodies": "if a {\n" * 65 + "}\n" * 65,
    "65 signs": "x = " + "-" * 65 + "y",
    "10,000 signs": "x = " + "-" * 10_000 + "y",
    "10,000 not": "x = " + "not " * 10_000 + "y",
    "10,000 powers": "x = " + "y^" * 10_000 + "y",
    "10,000 conditionals": "x = " + "if a then b else " * 10_000 + "y",
    "brackets and signs": "x = " + "-(" * 40 + "1" + ")" * 40,
}


@pytest.mark.parametrize("name", TOO_DEEP)
def test_deeper_texts_are_refused_once(name: str) -> None:
    file, codes = parsed(f"dslc 1\n{TOO_DEEP[name]}\n")
    assert codes.count("nested-too-deeply") == 1
    assert set(codes) <= {"nested-too-deeply", "unclosed-bracket", "unclosed-brace"}
    depth = 0
    level = list(file.statements)
    while level:
        depth, level = depth + 1, [child for node in level for child in children(node)]
    assert depth < 300


HOSTILE = {
    "minus": "-",
    "open": "(",
    "close": ")",
    "braces": "{",
    "both braces": "{}",
    "closing braces": "}\n",
    "quotes": '"',
    "single quotes": "'",
    "backslashes": "\\",
    "points": ".",
    "hash": "#",
    "lines": "\n",
    "names": "x ",
    "one long name": "x",
    "one long number": "1",
    "arrows": "-> ",
    "equals": "x = \n",
    "unclosed calls": "f(\n",
    "letters of other scripts": "ж",
    "else": "else {\n}\n",
    "semicolons": ";",
    "slashes": "// x\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_large_text_of_anything_ends(name: str) -> None:
    unit = HOSTILE[name]
    sink = Sink()
    file = parse(Source("a.nn", "dslc 1\n" + unit * (200_000 // len(unit))), sink)
    assert isinstance(file.statements, tuple)
    assert sink.error_count <= LIMIT


def test_a_mebibyte_of_signs_is_too_many_tokens() -> None:
    assert "too-many-tokens" in parsed("dslc 1\nx = " + "-" * (MIB - 20))[1]


def test_300_000_tokens_are_the_most() -> None:
    for count, codes in ((300_000, []), (300_001, ["too-many-tokens"])):
        sink = Sink()
        tokens, _ = scan(Source("a.nn", "x " * count), sink)
        assert len(tokens) == 300_000
        assert [diagnostic.code for diagnostic in sink] == codes


def test_50_errors_are_the_most_and_the_rest_is_counted() -> None:
    sink = Sink()
    parse(Source("a.nn", "dslc 1\n" + "x = 'a'\n" * 80), sink)
    assert (sink.error_count, sink.dropped) == (LIMIT, 30)


def test_names_have_128_characters_at_most() -> None:
    assert parsed("dslc 1\n" + "x" * 128 + " = 1\n")[1] == []
    assert parsed("dslc 1\n" + "x" * 129 + " = 1\n")[1] == ["name-too-long"]


def test_numbers_are_bounded() -> None:
    assert parsed("dslc 1\nx = 999999999999999999\ny = 1.7e308\n")[1] == []
    assert parsed("dslc 1\nx = 1000000000000000000\ny = 1.8e308\nz = " + "1" * 5000 + "." + "0" * 5000)[1] == [
        "integer-too-long",
        "float-too-large",
        "float-too-large",
    ]


def codes_of(path: Path) -> list[str]:
    try:
        read_source(path, "shown.nn")
    except SpecError as error:
        return [diagnostic.code for diagnostic in error.diagnostics]
    return []


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"dslc 1\n#" + b"x" * MIB, "text-too-large"),
        (b"dslc 1\nx = \xff\n", "not-utf8"),
        (b"\x89PNG\r\n", "not-a-spec"),
        (b"PK\x03\x04", "not-a-spec"),
        ("dslc 1\n# \u202e\n".encode(), "hidden-character"),
        (b"dslc 1\n\x1b[31m\n", "hidden-character"),
        (b"dslc 1\rx = 1\n", "hidden-character"),
        (b"dslc 1\n\x00\n", "hidden-character"),
    ],
)
def test_files_that_are_no_text(tmp_path: Path, data: bytes, code: str) -> None:
    path = tmp_path / "a.nn"
    path.write_bytes(data)
    assert codes_of(path) == [code]


@pytest.mark.parametrize("data", [b"dslc 1\n", b"\xef\xbb\xbfdslc 1\r\n\tx = 1\r\n", b"dslc 1\n#" + b"x" * (MIB - 8), "# größe\n".encode()])
def test_files_that_are(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.nn"
    path.write_bytes(data)
    assert codes_of(path) == []


def test_folders_and_missing_files(tmp_path: Path) -> None:
    assert codes_of(tmp_path) == ["not-a-file"]
    assert codes_of(tmp_path / "missing.nn") == ["cannot-read"]
    assert codes_of(tmp_path / ("x" * 5000)) == ["cannot-read"]


def test_a_large_text_is_not_parsed_again_for_each_brace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Braces at wrong indentations are mended and the parse begins again: up to eight times, in large texts less often."""
    runs: list[int] = []
    run = Run.run

    def counted(self: Run) -> object:
        runs.append(len(self.tokens))
        return run(self)

    monkeypatch.setattr(Run, "run", counted)
    crooked = "network N {\n  if true {\n    a = x\n}\n"
    for filler, most in ((10, 9), (8_000, 3), (24_000, 1)):
        runs.clear()
        parse(Source("a.nn", "dslc 1\n" + crooked * 12 + "# x\n" + "b = x\n" * (filler // 4)), Sink())
        assert len(runs) == most


LONG_WORDS = {
    "digits": "7" * 200_000,
    "a number with a letter": "7" * 200_000 + "x",
    "a string": f'"{"a" * 200_000}"',
    "an open string": '"' + "a" * 200_000,
}


@pytest.mark.parametrize("name", LONG_WORDS)
def test_a_long_word_takes_memory_for_itself_alone(name: str) -> None:
    """A pattern that repeats a group for each character would take 400 bytes for each."""
    text = LONG_WORDS[name]
    source, sink = Source("a.nn", text), Sink()
    scan(source, sink)  # the table is loaded
    tracemalloc.start()
    scan(source, sink)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * len(text)


def test_a_bracket_behind_the_last_token_that_was_read() -> None:
    """The search for repairs looks for what stands before it."""
    _, found = check_source(Source("spec.nn", "for f in s )\n f"))
    assert found
