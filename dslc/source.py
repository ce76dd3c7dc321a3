"""Source texts and spans: where in which file something was written."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property

COMMENT = re.compile(r'("(?:[^"\\\n]|\\.)*")|#[^\n]*')  # a string keeps its `#`


@dataclass(frozen=True, eq=False)
class Source:
    """One text: `path` is the name shown to people (relative, never resolved), `text` its decoded content."""

    path: str
    text: str = field(repr=False)

    @cached_property
    def line_starts(self) -> tuple[int, ...]:
        """Offsets at which lines begin; lines end at `\\n`."""
        starts = [0]
        starts.extend(i + 1 for i, char in enumerate(self.text) if char == "\n")
        return tuple(starts)

    @cached_property
    def places(self) -> dict[int, str]:
        """Places that were asked for, by offset: bodies that are expanded over and over ask for the same ones."""
        return {}

    def place(self, offset: int) -> str:
        """`file:line:column` of an offset."""
        found = self.places.get(offset)
        if found is None:
            line, column = self.position(offset)
            found = self.places[offset] = f"{self.path}:{line}:{column}"
        return found

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both from 1; columns count code points."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of line `number` (from 1) without its line break."""
        start = self.line_starts[number - 1]
        end = self.line_starts[number] - 1 if number < len(self.line_starts) else len(self.text)
        return self.text[start:end].rstrip("\r")


@dataclass(slots=True, unsafe_hash=True)
class Span:
    """The text `source.text[start:end]`. Never changed; not `frozen`, as a check makes a million of them and that triples the time."""

    source: Source
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    @property
    def flat(self) -> str:
        """The text in one line, without comments."""
        return " ".join(COMMENT.sub(lambda found: found[1] or "", self.text).split())

    @property
    def place(self) -> str:
        """`file:line:column` of the first character, as the IR and ONNX metadata store it."""
        return self.source.place(self.start)

    def to(self, other: Span) -> Span:
        """The span from here to the end of `other`."""
        end = other.end
        return self if end <= self.end else Span(self.source, self.start, end)
