"""Reading a spec from a file: bounded, never blocking, with a located error for whatever is not a text."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from dslc.below import Below, kind_of_place, open_file
from dslc.diagnostics import Diagnostic, SpecError
from dslc.magic import kind_of
from dslc.source import Source, Span
from dslc.syntax import errors

LIMIT = 1 << 20
# Characters that change the direction or the look of text (Trojan Source, CVE-2021-42574), that are not seen, or that end a line elsewhere.
RANGES = ((0x200B, 0x200F), (0x2028, 0x202E), (0x2060, 0x206F), (0xFFF9, 0xFFFB), (0xE0000, 0xE007F))
HIDDEN = frozenset("\u00ad\u061c\u180e\ufeff").union(*({chr(point) for point in range(low, high + 1)} for low, high in RANGES))


def read_source(path: Path | Below, shown: str) -> Source:
    """The text of a spec. `shown` is the name for people.

    Raises SpecError: missing, no regular file, too large, not UTF-8, control characters.
    """
    data = read_bytes(path, shown)
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    if kind := kind_of(data):
        raise SpecError(errors.NotASpec(path=shown, kind=kind))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        good = data[: error.start].decode("utf-8")
        source = Source(shown, good)
        raise SpecError(errors.NotUtf8(span=Span(source, len(good), len(good)), byte=f"0x{data[error.start]:02x}")) from error
    source = Source(shown, text)
    found = tuple(strange(source))
    if found:
        raise SpecError(found)
    return source


def read_bytes(path: Path | Below, shown: str) -> bytes:
    try:
        if isinstance(path, Path) and not stat.S_ISREG(mode := path.stat().st_mode):
            raise SpecError(errors.NotAFile(path=shown, kind=kind_of_place(mode)))
        with os.fdopen(open_file(path), "rb") as file:
            data = file.read(LIMIT + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or (str(error) if isinstance(error, OSError) else "the name is not valid")
        raise SpecError(errors.CannotRead(path=shown, reason=reason[0].lower() + reason[1:])) from error
    if len(data) > LIMIT:
        raise SpecError(errors.TextTooLarge(path=shown, limit=LIMIT))
    return data


def strange(source: Source) -> list[Diagnostic]:
    """Control characters other than tab and line ends, and characters that change the direction of text: ten at most."""
    found: list[Diagnostic] = []
    text = source.text
    for at, char in enumerate(text):
        if char >= " " and char not in HIDDEN and not "\x7f" <= char <= "\x9f":
            continue
        if char in "\t\n" or (char == "\r" and text[at + 1 : at + 2] == "\n"):
            continue
        kind = "a carriage return without a line feed" if char == "\r" else "a hidden or control character"
        found.append(errors.HiddenCharacter(span=Span(source, at, at + 1), point=f"U+{ord(char):04X}", kind=kind))
        if len(found) == 10:
            break
    return found
