"""Which names of a body a gradient leads from to a weight: as far as its lines tell, so some are missed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from dslc.ops.table import rows

BINDS = re.compile(r"\s*(?:output )?(\w+(?:, \w+)*) = (.*)")
WEIGHT = re.compile(r"\s*(?:weight|layer) (\w+)")
NAME = re.compile(r"\b[a-z]+\d+\b")
LAYERS = re.compile(r"\b(?:dense|conv|layer_norm|batch_norm|embedding)\(?")
NUMBERS = re.compile(r"[<>]|==|!=|//|\b(?:i32|i64|u8|bool|where|mask)\b|block\d")


def live_names(lines: Sequence[str]) -> set[str]:
    """Names of values that surely depend on a weight by operators that have a gradient."""
    found: set[str] = set()
    for line in lines:
        weight, bound = WEIGHT.match(line), BINDS.match(line)
        if weight is not None:
            found.add(weight[1])
        elif bound is not None:
            names, text = bound[1].split(", "), bound[2].replace("->", "")
            passes = not NUMBERS.search(text) and not blocked().search(text)
            live = passes and bool(LAYERS.search(text) or found.intersection(NAME.findall(text)))
            found = found.union(names) if live else found.difference(names)
    return found


@cache
def blocked() -> re.Pattern[str]:
    """The operators that pass no gradient on to some operand."""
    names = [row.name for row in rows() if not row.grad or None in row.grad.values()]
    return re.compile(rf"\b(?:{'|'.join(sorted(names))})\b")
