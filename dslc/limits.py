"""How much work one check may take: steps of fuel (R9), and the variable that allows more of them.

A step is about 5 µs of processor time. The default lets `dslc check` end in about two seconds, whatever the text.
"""

from __future__ import annotations

import os

from dslc.diagnostics import SpecError

VARIABLE = "DSLC_LIMITS"
STEPS = 230_000
NODES = 20_000  # of one graph
MOST_NODES = 100_000  # of one graph, whatever is allowed
LARGEST = 20  # times the default
TOKEN = 4  # steps in which a word or sign of a text is read and looked up


def factor() -> int:
    """How many times the default is allowed: the environment's DSLC_LIMITS, 1 where it is not set. Raises SpecError."""
    text = os.environ.get(VARIABLE, "") or "1"
    if text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= LARGEST:
        return int(text)
    from dslc.usage import BadArgument

    detail = f"{VARIABLE} is a whole number from 1 to {LARGEST}, not `{text[:40]}`"
    raise SpecError(BadArgument(detail=detail, usage=f"{VARIABLE}=5 dslc check FILE"))


def steps_of(tokens: int) -> int:
    """What it takes to read a text of so many words and signs and to look up its names."""
    return tokens * TOKEN


def tokens_for(steps: int) -> int:
    """How many words and signs may be read with so many steps."""
    return max(steps, 0) // TOKEN


def advice() -> str:
    """How more is allowed, as the help of a diagnostic."""
    more = min(5 * factor(), LARGEST)
    return f"if the network is meant to be so large, allow more: `{VARIABLE}={more} dslc …`" if more > factor() else ""
