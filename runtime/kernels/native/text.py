"""LLVM's language as text: instructions, counted loops with carried values, and the types of lanes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

SCALARS = {
    "float32": "float", "float64": "double", "float16": "half", "bool": "i1",
    "int8": "i8", "uint8": "i8", "int16": "i16", "uint16": "i16", "int32": "i32", "uint32": "i32", "int64": "i64", "uint64": "i64",
}  # fmt: skip


def llvm_type(dtype: str, lanes: int = 1) -> str:
    """The type of one value (lanes 1) or of a vector of them."""
    return SCALARS[dtype] if lanes == 1 else f"<{lanes} x {SCALARS[dtype]}>"


def in_memory(dtype: str) -> str:
    """The scalar type of an element of an array: a truth value is a byte."""
    return "i8" if dtype == "bool" else SCALARS[dtype]


@dataclass
class Loop:
    """A counted loop while it is written. index: its place; carried: values at the start of a turn; next: what the next turn gets.

    results: the carried values behind the loop.
    """

    index: str
    carried: list[str]
    next: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)


class Code:
    """The body of one function, written from top to bottom. `block` is the label of the block that is being written."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.count = 0
        self.block = "entry"
        self.declared: dict[str, str] = {}

    def name(self) -> str:
        self.count += 1
        return f"%v{self.count}"

    def value(self, text: str) -> str:
        """The name of the result of an instruction."""
        name = self.name()
        self.lines.append(f"  {name} = {text}")
        return name

    def do(self, text: str) -> None:
        self.lines.append(f"  {text}")

    def label(self, block: str) -> None:
        self.lines.append(f"{block}:")
        self.block = block

    def new_block(self, hint: str) -> str:
        self.count += 1
        return f"{hint}{self.count}"

    def declare(self, name: str, line: str) -> str:
        """A function that is called: declared or defined once for each module."""
        self.declared.setdefault(name, line)
        return name

    # ---- whole numbers ----------------------------------------------------------------------------------------------------------

    def add(self, a: str, b: str) -> str:
        if is_number(a) and is_number(b):
            return str(int(a) + int(b))
        return a if b == "0" else b if a == "0" else self.value(f"add nsw i64 {a}, {b}")

    def multiply(self, a: str, b: str) -> str:
        if is_number(a) and is_number(b):
            return str(int(a) * int(b))
        if "0" in (a, b):
            return "0"
        return a if b == "1" else b if a == "1" else self.value(f"mul nsw i64 {a}, {b}")

    def smaller(self, a: str, b: str) -> str:
        return self.value(f"call i64 {self.intrinsic('smin', 'i64', 2)}(i64 {a}, i64 {b})")

    def larger(self, a: str, b: str) -> str:
        return self.value(f"call i64 {self.intrinsic('smax', 'i64', 2)}(i64 {a}, i64 {b})")

    def pointer(self, base: str, offset: str, element: str) -> str:
        return base if offset == "0" else self.value(f"getelementptr {element}, ptr {base}, i64 {offset}")

    def intrinsic(self, name: str, type: str, args: int) -> str:
        """LLVM's function of this name on `args` values of one type."""
        full = f"@llvm.{name}.{mangled(type)}"
        return self.declare(full, f"declare {type} {full}({', '.join([type] * args)})")

    # ---- loops ------------------------------------------------------------------------------------------------------------------

    @contextmanager
    def loop(self, start: str, stop: str, step: int = 1, carried: Sequence[tuple[str, str]] = ()) -> Iterator[Loop]:
        """`for index in start, start + step, … below stop`. carried: (type, value before the first turn) of each carried value."""
        certain = is_number(start) and is_number(stop) and int(start) < int(stop)
        before, body, latch, after = self.block, self.new_block("loop"), self.new_block("next"), self.new_block("done")
        if certain:
            self.do(f"br label %{body}")
        else:
            some = self.value(f"icmp slt i64 {start}, {stop}")
            self.do(f"br i1 {some}, label %{body}, label %{after}")
        self.label(body)
        index, following = self.name(), self.name()
        self.do(f"{index} = phi i64 [{start}, %{before}], [{following}, %{latch}]")
        names = [self.name() for _ in carried]
        heads = len(self.lines)
        self.lines.extend("" for _ in carried)
        loop = Loop(index, names)
        yield loop
        self.do(f"br label %{latch}")
        self.label(latch)
        for at, (name, (type, first), following_value) in enumerate(zip(names, carried, loop.next, strict=True)):
            self.lines[heads + at] = f"  {name} = phi {type} [{first}, %{before}], [{following_value}, %{latch}]"
        self.do(f"{following} = add nsw i64 {index}, {step}")
        again = self.value(f"icmp slt i64 {following}, {stop}")
        self.do(f"br i1 {again}, label %{body}, label %{after}")
        self.label(after)
        for (type, first), last in zip(carried, loop.next, strict=True):
            loop.results.append(last if certain else self.value(f"phi {type} [{first}, %{before}], [{last}, %{latch}]"))


def is_number(text: str) -> bool:
    return text.lstrip("-").isdigit()


def mangled(type: str) -> str:
    """A type as it stands in the name of an intrinsic: `<16 x float>` is v16f32."""
    plain = {"float": "f32", "double": "f64", "half": "f16", "ptr": "p0"}
    if type.startswith("<"):
        lanes, scalar = type[1:-1].split(" x ")
        return f"v{lanes}{plain.get(scalar, scalar)}"
    return plain.get(type, type)


def splat(code: Code, type: str, lanes: int, value: str) -> str:
    """A vector with the same value in every lane."""
    if lanes == 1:
        return value
    first = code.value(f"insertelement <{lanes} x {type}> poison, {type} {value}, i32 0")
    return code.value(f"shufflevector <{lanes} x {type}> {first}, <{lanes} x {type}> poison, <{lanes} x i32> zeroinitializer")
