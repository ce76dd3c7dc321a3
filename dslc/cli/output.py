"""What a verb says: to a standard output that may be closed, and to standard error with or without colour."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

from dslc.diagnostics import DataError, Diagnostic

if TYPE_CHECKING:
    from dslc.diagnostics import DslcError


def say(text: str = "") -> None:
    """One or more lines to standard output. A reader that hung up (`dslc ops | head`) is no error: the verb goes on silently."""
    try:
        print(text)
    except BrokenPipeError:
        hang_up()
    except OSError as error:
        raise broken(error) from error


def complain(diagnostics: Iterable[Diagnostic], *, dropped: int = 0) -> None:
    """Diagnostics to standard error, in colour on a terminal."""
    from dslc.render import render_text

    text = render_text(diagnostics, color=colour(sys.stderr), dropped=dropped)
    if text:
        note(text.rstrip("\n"))


def note(text: str) -> None:
    """A line to standard error; where nobody reads it, it is lost."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        sys.stderr = None


def report(error: DslcError) -> int:
    """Print what an exception carries; returns its exit code."""
    complain(error.diagnostics, dropped=error.dropped)
    return error.exit_code


def colour(stream: TextIO | None) -> bool:
    """Colour only on a terminal, and not where NO_COLOR is set (no-color.org) or the terminal is dumb."""
    return stream is not None and stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def prepare() -> None:
    """A character that the terminal cannot show becomes `?` instead of an exception."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def finish(code: int) -> int:
    """Flush standard output; a full disk behind it is an error."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        hang_up()
    except OSError as error:
        return report(broken(error))
    return code


def broken(error: OSError) -> DataError:
    """Standard output cannot be written, for example because a disk is full."""
    from dslc.files import reason
    from dslc.usage import CannotWriteFile

    hang_up()
    return DataError(CannotWriteFile(path="standard output", reason=reason(error)))


def hang_up() -> None:
    """Nobody reads standard output any more: what follows goes nowhere, also what the interpreter flushes at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, sys.stdout.fileno())
    except (OSError, ValueError):  # a stream without a descriptor (tests, notebooks)
        os.close(nowhere)
