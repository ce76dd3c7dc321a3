"""The nearest right name, from the tables that the compiler itself uses."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from dslc.diagnostics import Edit, Fix
from dslc.source import Span

MOST_NAMES = 2000  # beyond this no name is suggested: the comparison is quadratic in the lengths


def nearest(word: str, names: Iterable[str]) -> str:
    """The name that `word` was probably meant to be, or ""."""
    known = [name for name in dict.fromkeys(names) if name != word and abs(len(name) - len(word)) <= 4][:MOST_NAMES]
    folded = {name.lower(): name for name in known}
    if word.lower() in folded:
        return folded[word.lower()]
    near = get_close_matches(word[:64], known, n=1, cutoff=0.6)
    return near[0] if near else ""


def rename(span: Span, name: str) -> Fix | None:
    """The fix that writes the nearest name."""
    return Fix(f"write `{name}`", (Edit(span, name),)) if name else None


def meant(name: str) -> str:
    """`: did you mean `name`?`, or nothing."""
    return f": did you mean `{name}`?" if name else ""


def listed(names: Iterable[str], limit: int = 12) -> str:
    """`a`, `b` and `c`; at most `limit` of them."""
    known = [f"`{name}`" for name in names]
    if not known:
        return "none"
    if len(known) > limit:
        return ", ".join(known[:limit]) + " …"
    return known[0] if len(known) == 1 else f"{', '.join(known[:-1])} and {known[-1]}"
