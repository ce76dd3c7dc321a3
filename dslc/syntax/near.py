"""The nearest of a few fixed words."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def near_word(word: str, words: Iterable[str], cutoff: float = 0.7) -> str:
    """The word that was probably meant, also in another case; "" if none is near enough."""
    known = sorted(words)
    if word.lower() in known:
        return word.lower()
    near = get_close_matches(word.lower()[:64], known, n=1, cutoff=cutoff)
    return near[0] if near else ""
