"""Arguments from Python, checked before anything is done with them: a bad one is a SpecError that says what is taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from operator import index
from pathlib import Path
from typing import Any

from dslc.diagnostics import SpecError
from dslc.program import Argument
from dslc.usage import BadArgument, advice


def argument(value: Any) -> Argument:
    """A Python value as the language has it: lists become tuples, NumPy numbers plain ones."""
    if isinstance(value, list | tuple):
        return tuple(argument(item) for item in value)  # type: ignore[return-value]
    item = getattr(value, "item", None)
    return item() if item is not None and getattr(value, "ndim", 1) == 0 else value  # type: ignore[no-any-return]


MOST_THREADS = 1024


def numbers(low: int, **given: Any) -> None:
    """SpecError for an argument that is no whole number of at least `low`; None is an argument that is left out."""
    for name, value in given.items():
        try:
            good = value is None or (not isinstance(value, bool) and low <= index(value) < 2**63)
        except TypeError:
            good = False
        if not good:
            detail = f"{name}: a whole number of at least {low} is needed, not {shown(value)}"
            raise SpecError(BadArgument(detail=detail, usage=f"{name}={max(low, 1)}"))


def threads(count: Any) -> None:
    """SpecError for a number of threads that is none, or more than any machine has a use for."""
    numbers(1, threads=count)
    if count is not None and count > MOST_THREADS:
        raise SpecError(BadArgument(detail=f"threads: at most {MOST_THREADS:,}, not {count:,}", usage="threads=4"))


def shown(value: Any) -> str:
    """A value as Python writes it, cut where it is long; a number too long to be written at all by its length."""
    if isinstance(value, int) and value.bit_length() > 1000:
        return f"a number of {value.bit_length():,} bits"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"


def one_of(name: str, value: Any, known: tuple[str, ...]) -> None:
    """SpecError for a word that is none of those that an argument takes."""
    if value not in known:
        words = " or ".join(repr(word) for word in known)
        raise SpecError(BadArgument(detail=f"{name}: {words} is needed, not {shown(value)}", usage=f"{name}={known[0]!r}"))


def paths(**given: Any) -> None:
    """SpecError for an argument that is no path."""
    for name, value in given.items():
        if value is not None and not isinstance(value, str | Path):
            raise SpecError(BadArgument(detail=f"{name}: a path is needed, not {shown(value)}", usage=f"{name}='folder/name'"))


def refuse_unknown(name: str, function: Callable[..., Any], unknown: Mapping[str, Any]) -> None:
    """SpecError for a keyword that a function does not have, with the nearest that it has."""
    known = [key for key in signature(function).parameters if key != "unknown"]
    for key in unknown:
        raise SpecError(
            BadArgument(
                detail=f"`{name}` has no argument `{key}`: {advice(key, known, 'see docs/python.md')}", usage=f"{name}({', '.join(known)})"
            )
        )


def refuse_with_resume(given: Mapping[str, Any]) -> None:
    """A run that is continued keeps its seed and its folder: SpecError where another one is named."""
    for name, value in given.items():
        if value is not None:
            detail = f"{name} has no meaning with a run that is continued, which keeps its own"
            raise SpecError(BadArgument(detail=detail, usage=f"give no {name}, or start a new run"))
