"""Specs with changed tokens: whatever comes out, it is a program or diagnostics, never another exception."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from dslc.loading import check_source, specs_folder
from dslc.render import render_text
from dslc.source import Source
from tests.specs.rows import NAMES

TARGETS = Path(__file__).parent.parent / "targets"
RULES = Path(__file__).parent / "rules"
SMALL = [path for path in specs_folder().glob("*.nn") if path.stem not in NAMES]
FILES = sorted([*SMALL, *TARGETS.glob("*.nn"), *RULES.glob("R*_ok*.nn")])
TOKEN = re.compile(r"\"[^\"\n]*\"|[A-Za-z_]\w*|\d[\w.]*|->|\.\.|//|[<>=!]=|\n|[^\s\w]")
POOL = (
    "x", "y", "batch", "_", "0", "1", "-1", "3", "0.5", "1e30", '"s"', "true", "relu", "dense(3)", "data", "net", "training", "zeros",
    "f32", "[1, 2]", "[]", "[batch, 4]", "*s", "..", ":", ",", "(", ")", "[", "]", "{", "}", "=", "->", "+", "@", "//", "^", "if", "for",
    "scan", "output", "input", "weight", "state", "update", "layer", "return", "yield", "as", "in", "loss", "optimizer", "op", "std",
    ".w", ".logits", "\n", "block f(x: [batch, n]) {\n", "network N {\n", "sum", "concat", "split", "reshape", "transpose", "cast",
    "tensor", "per_axis",
)  # fmt: skip
ROUNDS = 24


def mutated(text: str, random_source: random.Random) -> str:
    """One to four changes: a token deleted, doubled, replaced, moved, or one of the pool put in."""
    pieces = [(match.start(), match.end()) for match in TOKEN.finditer(text)]
    for _ in range(random_source.randint(1, 4)):
        start, end = random_source.choice(pieces)
        if end > len(text):
            continue
        other_start, other_end = random_source.choice(pieces)
        token, other = text[start:end], text[other_start:other_end]
        kind = random_source.randrange(5)
        new = ("", f"{token} {token}", random_source.choice(POOL), other, f"{token} {random_source.choice(POOL)}")[kind]
        text = text[:start] + new + text[end:]
    return text


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_mutations(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    random_source = random.Random(path.stem)
    for _ in range(ROUNDS):
        changed = mutated(text, random_source)
        program, diagnostics = check_source(Source(path.name, changed), folder=path.parent)
        failed = any(item.severity == "error" for item in diagnostics)
        assert (program is None) == failed, changed
        assert len([item for item in diagnostics if item.severity == "error"]) <= 50
        render_text(diagnostics)
