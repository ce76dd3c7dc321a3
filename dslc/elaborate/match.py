"""Patterns over addresses: `*` within a name, `**` across dots (R20). Time is length of pattern × length of address."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache


@lru_cache(maxsize=256)
def tokens(pattern: str) -> tuple[str, ...]:
    """Single characters, `*` and `**`."""
    return tuple(re.findall(r"\*\*|.", pattern, re.DOTALL))


def covers(pattern: str, address: str) -> bool:
    """Whether a pattern means an address, or an expansion around it (`conv0` means `conv0.w`)."""
    parts = tokens(pattern)
    states = closure(parts, {0})
    for char in address:
        if len(parts) in states and char == ".":
            return True
        states = closure(parts, step(parts, states, char))
        if not states:
            return False
    return len(parts) in states


def closure(parts: tuple[str, ...], states: set[int]) -> set[int]:
    """`*` and `**` may stand for nothing."""
    found = set(states)
    for state in sorted(states):
        at = state
        while at < len(parts) and parts[at] in ("*", "**"):
            at += 1
            found.add(at)
    return found


def step(parts: tuple[str, ...], states: set[int], char: str) -> set[int]:
    found: set[int] = set()
    for state in states:
        if state == len(parts):
            continue
        part = parts[state]
        if part == "**" or (part == "*" and char != "."):
            found.add(state)
        elif part == char:
            found.add(state + 1)
    return found


def matches(pattern: str, address: str, networks: Iterable[str]) -> bool:
    """Whether a pattern means an address; the network's name may be left out where there is one."""
    names = list(networks)
    if covers(pattern, address):
        return True
    short = address.removeprefix(f"{names[0]}.") if len(names) == 1 else address
    return short != address and covers(pattern, short)
