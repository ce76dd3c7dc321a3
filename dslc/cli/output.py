"""What a verb says: to a standard output that may be closed, and to standard error with or without colour."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from dslc.diagnostics import DataError, Diagnostic, InternalError

if TYPE_CHECKING:
    from dslc.diagnostics import DslcError


def escape_lines(text: str) -> str:
    """Names of files and the like as a terminal may see them: control and invisible characters by code point, line ends stay."""
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    from dslc.render import escape

    return "\n".join(escape(line) for line in text.split("\n"))


def say(text: str = "", *, exact: bool = False) -> None:
    """One or more lines to standard output, names of files in them safe for a terminal; `exact`: JSON, which is printed as it is.

    A reader that hung up (`dslc ops | head`) is no error: the verb goes on silently."""
    try:
        print(text if exact else escape_lines(text))
    except BrokenPipeError:
        hang_up()
    except OSError as error:
        raise broken(error) from error


def complain(diagnostics: Iterable[Diagnostic], *, dropped: int = 0) -> None:
    """Diagnostics to standard error, in colour on a terminal."""
    from dslc.render import render_text

    text = render_text(diagnostics, color=colour(sys.stderr), dropped=dropped)
    if text:
        mutter(text.rstrip("\n"))


def note(text: str) -> None:
    """A line to standard error, safe for a terminal."""
    mutter(escape_lines(text))


def mutter(text: str) -> None:
    """A text to standard error as it is; where nobody reads it, it is lost."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        sys.stderr = None


def report(error: DslcError) -> int:
    """Print what an exception carries; returns its exit code."""
    complain(error.diagnostics, dropped=error.dropped)
    return error.exit_code


def fault(error: BaseException) -> DslcError:
    """An exception that is no diagnostic as one that is: a fault of dslc, or memory that the system does not give.

    The traceback is printed with DSLC_DEBUG=1.
    """
    if os.environ.get("DSLC_DEBUG"):
        import traceback

        note("".join(traceback.format_exception(error)).rstrip())
    if isinstance(error, MemoryError) or any(text in str(error) for text in STARVED.get(type(error).__name__, ())):
        let_go(error)
        from runtime.memory import out_of_memory

        return DataError(out_of_memory(error if isinstance(error, MemoryError) else MemoryError()).diagnostics)
    from dslc import usage

    detail = str(error).strip().partition("\n")[0][:300] or "no further detail"
    return InternalError(usage.Unexpected(kind=type(error).__name__, detail=detail))


STARVED = {"SystemError": ("without exception set",), "PanicException": ("pointer is null",)}
"""What CPython 3.11 and pydantic say, instead of MemoryError, where there is no memory for a frame or an object."""


def let_go(error: BaseException) -> None:
    """Free what the functions that an exception ended still hold, so that there is memory for the message."""
    trace = error.__traceback__
    while trace is not None:
        with suppress(RuntimeError):  # the function still runs
            trace.tb_frame.clear()
        trace = trace.tb_next
    gc.collect()


LAST_WORDS = b"error[memory-space]: there is not enough memory, not even for all of this message\n"


def last_words() -> int:
    """What is said, and the exit code, where there is no memory for a diagnostic; nothing is allocated for it."""
    with suppress(OSError):
        os.write(2, LAST_WORDS)
    return DataError.exit_code


def colour(stream: TextIO | None) -> bool:
    """Colour only on a terminal, and not where NO_COLOR is set (no-color.org) or the terminal is dumb."""
    return stream is not None and stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def prepare() -> None:
    """A character that the terminal cannot show becomes `?` instead of an exception.

    A standard stream that is closed leads nowhere, so that no file gets its number and what other libraries say.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
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
