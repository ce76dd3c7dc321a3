"""Tokens, keywords, and how foreign text is shown in messages."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

HARD = frozenset(
    [
        "network",
        "block",
        "train",
        "import",
        "param",
        "for",
        "if",
        "then",
        "else",
        "in",
        "scan",
        "return",
        "yield",
        "carry",
        "and",
        "or",
        "not",
        "true",
        "false",
    ]
)
SOFT = frozenset(["dslc", "from", "as", "over", "input", "output", "weight", "state", "update", "layer", "step", "rule", "generate"])
SETTINGS = frozenset(
    ["loss", "metric", "optimizer", "schedule", "clip", "batch_size", "epochs", "steps", "accumulate", "ema", "start", "trains", "times",
     "frozen", "rate", "weight_decay", "init", "constraint", "next", "stop", "limit", "context"]
)  # of every body that has settings  # fmt: skip
CONTEXTUAL = frozenset(["log"])  # a keyword only behind the range of a `param`, elsewhere a name


@dataclass(frozen=True, slots=True)
class Token:
    """`type` is the grammar's terminal; `first`: it is the first of its line; `slipped`: it was mended."""

    type: str
    text: str
    start: int
    end: int
    first: bool = False
    slipped: bool = False


def printable(text: str) -> str:
    """Text for a message: what is not printable is shown by its code point."""
    return "".join(char if char.isprintable() else f"U+{ord(char):04X}" for char in text[:40])


def point(char: str) -> str:
    """`U+0445 CYRILLIC SMALL LETTER HA`."""
    return f"U+{ord(char):04X} {unicodedata.name(char, '')}".rstrip()
