"""Changed texts: characters (put in, doubled, taken away), tokens (deleted, doubled, moved, replaced), words (replaced by others)."""

from __future__ import annotations

import random
import re

from dslc.syntax import ast
from tests.syntax.sexpr import children

TOKEN = re.compile(r"\"[^\"\n]*\"|[A-Za-z_]\w*|\d[\w.]*|->|\.\.|//|[<>=!]=|\n|[^\s\w]")
CHARACTERS = (
    "(", ")", "[", "]", "{", "}", "->", "=>", ",", ":", "=", "\n", " ", "if ", "else ", "for ", "in ", '"', "'", "#", "3", "3x", "é", ";",
    ".", "..", "network ", "return ", "scan ", "output ", "*", "-", "\t", "\r\n", "\\", "@", "then ", "not ", "1e999", "\u202e", "\x00",
    "9" * 30, "\r", "٣", "log ", "step ", "rule ", "\U0001f600",
)  # fmt: skip
TOKENS = (
    "x", "y", "batch", "_", "0", "1", "-1", "3", "0.5", "1e30", '"s"', "true", "relu", "dense(3)", "data", "net", "training", "zeros",
    "f32", "[1, 2]", "[]", "[batch, 4]", "*s", "..", ":", ",", "(", ")", "[", "]", "{", "}", "=", "->", "+", "@", "//", "^", "if", "for",
    "scan", "output", "input", "weight", "state", "update", "layer", "return", "yield", "as", "in", "loss", "optimizer", "op", "std",
    ".w", ".logits", "\n", "block f(x: [batch, n]) {\n", "network N {\n", "sum", "concat", "split", "reshape", "transpose", "cast",
    "tensor", "per_axis", "999999999999", "0.0", "-0.5", "grad", "import", "param", "train", "generate", "step", "rule", "carry", "none",
)  # fmt: skip

NUMBERS = (
    "0", "1", "2", "3", "-1", "7", "0.5", "1.0", "1e-30", "64", "1_000_000", "999999999999", "2147483648", "-0.0", "1e30", "true", '"s"',
    "[1, 2]", "[]", "none",
)  # fmt: skip


def changed_characters(text: str, chance: random.Random, times: int) -> str:
    """So many changes, each at any place: something put in, doubled, or up to eight characters replaced."""
    for _ in range(times):
        at = chance.randrange(len(text) + 1)
        end = at + chance.choice([0, 1, 1, 2, 8])
        kind = chance.randrange(3)
        text = text[:at] + (chance.choice(CHARACTERS) if kind else text[at:end] * 2) + text[at if kind == 1 else end :]
    return text


def changed_tokens(text: str, chance: random.Random, times: int) -> str:
    """So many changes: a token deleted, doubled, replaced, moved, or one of the pool put in."""
    for _ in range(times):
        pieces = [match.span() for match in TOKEN.finditer(text)]
        (start, end), (other_start, other_end) = chance.choice(pieces), chance.choice(pieces)
        token, other = text[start:end], text[other_start:other_end]
        kind = chance.randrange(5)
        new = ("", f"{token} {token}", chance.choice(TOKENS), other, f"{token} {chance.choice(TOKENS)}")[kind]
        text = text[:start] + new + text[end:]
    return text


def changed_words(text: str, chance: random.Random, times: int) -> str:
    """So many changes that mostly leave the syntax right: a name becomes another word, a number another value."""
    for _ in range(times):
        words = [match for match in TOKEN.finditer(text) if match.group()[0].isalnum() or match.group()[0] in '"_']
        if not words:
            break
        old, other = chance.choice(words), chance.choice(words)
        pool = NUMBERS if old.group()[0].isdigit() else [word for word in TOKENS if word.isidentifier()]
        new = chance.choice(pool) if chance.randrange(2) else other.group()
        text = text[: old.start()] + new + text[old.end() :]
    return text


def check_spans(node: ast.Node, length: int) -> None:
    """Every span lies in the text and contains those of its children (a Term's span is that of its operator)."""
    todo = [node]
    while todo:
        item = todo.pop()
        assert 0 <= item.span.start <= item.span.end <= length
        for child in children(item):
            inside = item.span.start <= child.span.start and child.span.end <= item.span.end
            assert inside or isinstance(item, ast.Term), (type(item).__name__, item.span.text, child.span.text)
            todo.append(child)
