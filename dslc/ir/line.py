"""One line of the text form of a graph: its tokens, and what they mean."""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import Any, NoReturn

from dslc.diagnostics import SpecError
from dslc.ir.errors import NotGraphText
from dslc.ir.graph import Attr
from dslc.ir.types import Dim, DType, TensorType

WORDS: dict[str, Attr] = {"true": True, "false": False, "none": None, **{dtype.value: dtype for dtype in DType}}
TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>"(?:[^"\\]|\\.)*")
      | (?P<dim><[^<>]*>)
      | (?P<value>%[0-9]{1,10}(?![0-9]))
      | (?P<number>-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?(?![0-9A-Za-z_.]))
      | (?P<name>[A-Za-z_][A-Za-z0-9_.:/]*)
      | (?P<place>@(?:[!\#-~]+)?)
      | (?P<sign>[(){}=,:])
    )""",
    re.VERBOSE,
)
TYPE = re.compile(r"\s*(\w+)\[([^\[\]]*)\]")


class Line:
    """The tokens of one line; `fail` says line and column."""

    def __init__(self, text: str, number: int) -> None:
        self.text = text
        self.number = number
        self.at = 0

    def fail(self, reason: str) -> NoReturn:
        column = len(self.text) - len(self.text[self.at :].lstrip()) + 1
        raise SpecError(NotGraphText(line=self.number, column=column, reason=reason))

    def peek(self) -> tuple[str, str]:
        """(kind, text) of the next token; kind "end" at the end of the line."""
        if not self.text[self.at :].strip():
            return "end", ""
        match = TOKEN.match(self.text, self.at)
        if match is None:
            self.fail("this is not understood")
        return str(match.lastgroup), match.group(match.lastgroup or 0)

    def take(self, kind: str, wanted: str = "") -> str:
        """The next token, which must be of this kind (and text)."""
        found, text = self.peek()
        if found != kind or (wanted and text != wanted):
            self.fail(f"here stands {wanted or kind}, not {text or 'the end of the line'}")
        match = TOKEN.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return text

    def accept(self, kind: str, wanted: str = "") -> bool:
        found, text = self.peek()
        if found != kind or (wanted and text != wanted):
            return False
        self.take(kind)
        return True

    def name(self) -> str:
        """A plain word, or a string."""
        return self.string() if self.peek()[0] == "string" else self.take("name")

    def string(self) -> str:
        start = self.at
        try:
            return str(json.loads(self.take("string")))
        except ValueError:
            self.at = start
            self.fail("this string is not valid")

    def value(self) -> int:
        return int(self.take("value")[1:])

    def type(self) -> TensorType:
        match = TYPE.match(self.text, self.at)
        if match is None or match[1] not in DType.__members__:
            self.fail("here stands a type such as f32[batch, 10]")
        try:
            sizes = tuple(Dim.parse(size) for size in match[2].split(",")) if match[2].strip() else ()
        except (ValueError, ZeroDivisionError) as error:
            self.fail(str(error))
        self.at = match.end()
        return TensorType(dtype=DType(match[1]), shape=sizes)

    def attr(self) -> Any:
        """An attribute. Tuples are read with a stack, not by recursion."""
        stack: list[list[Any]] = []
        while True:
            if self.accept("sign", "("):
                stack.append([])
                if not self.accept("sign", ")"):
                    continue
                done: Any = tuple(stack.pop())
            else:
                done = self.leaf()
            while stack:
                stack[-1].append(done)
                if self.accept("sign", ","):
                    break
                self.take("sign", ")")
                done = tuple(stack.pop())
            else:
                return done

    def leaf(self) -> Attr:
        kind, text = self.peek()
        if kind == "string":
            return self.string()
        if kind == "name":
            self.take("name")
            return WORDS[text] if text in WORDS else Dim.of(text)
        try:
            if kind == "number":
                number = float(text) if any(c in text for c in ".e") else int(text)
                if isinstance(number, float) and not isfinite(number):
                    self.fail("this number is out of range")
                self.take(kind)
                return number
            if kind == "dim":
                dim = Dim.parse(text[1:-1])
                self.take(kind)
                return dim
        except (ValueError, ZeroDivisionError) as error:
            self.fail(str(error))
        return self.fail("here stands a value")

    def place(self) -> str:
        kind, text = self.peek()
        if kind != "place":
            return ""
        self.take("place")
        return text[1:] or self.string()

    def end(self) -> None:
        if self.peek()[0] != "end":
            self.fail("the line ends here")
