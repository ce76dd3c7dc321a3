"""How near two words are, and the nearest of a few fixed ones."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

MOST_EDITS = 2  # a fix changes no more characters than this
KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
SHORTEST = 3  # letters of a word of which one slip is seen


def near_word(word: str, words: Iterable[str], cutoff: float = 0.7) -> str:
    """The word that was probably meant, also in another case; "" if none is near enough."""
    known = sorted(words)
    if word.lower() in known:
        return word.lower()
    near = get_close_matches(word.lower()[:64], known, n=3, cutoff=cutoff)
    near += [name for name in known if min(len(name), len(word)) >= SHORTEST and distance(word.lower(), name) == 1]
    return min(near, key=lambda name: (distance(word.lower(), name), strangeness(word, name))) if near else ""


def strangeness(word: str, name: str) -> int:
    """Of words that are as near: first the same letters in another order, then a key beside the right one or pressed twice, a plural."""
    if len(word) != len(name):
        long, short = sorted((word, name), key=len, reverse=True)
        twice = any(long[:at] + long[at + 1 :] == short for at in range(1, len(long)) if long[at] == long[at - 1])
        return 1 if long == f"{short}s" or twice else 2
    wrong = [(left, right) for left, right in zip(word.lower(), name.lower(), strict=True) if left != right]
    if len(wrong) == 1 and any(left + right in row or right + left in row for left, right in wrong for row in KEYS):
        return 1
    return 0 if sorted(word) == sorted(name) else 2


def distance(left: str, right: str) -> int:
    """Insertions, deletions, replacements and swaps of neighbours; what is clearly more than `MOST_EDITS` is not counted out."""
    if abs(len(left) - len(right)) > MOST_EDITS or max(len(left), len(right)) > 64:
        return MOST_EDITS + 1
    before, row = [0] * (len(right) + 1), list(range(len(right) + 1))
    for at, char in enumerate(left):
        above, before, row = before, row, [at + 1]
        for to, other in enumerate(right):
            row.append(min(before[to] + (char != other), before[to + 1] + 1, row[to] + 1))
            if at and to and char == right[to - 1] and left[at - 1] == other:
                row[-1] = min(row[-1], above[to - 1] + 1)
    return row[-1]
