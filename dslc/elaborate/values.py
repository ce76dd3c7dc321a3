"""Compile-time values: what an expression of a spec can be worth while it is elaborated.

Plain Python stands for the simple ones: int, float, bool, str, `DType`, `Init`, a tuple for a list, `Dim` for a size that is not
known, `Val` for a tensor. `POISON` is the value of whatever has failed: it is accepted everywhere and causes no further error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dslc.ir.types import Dim, DType, TensorType
from dslc.ops.value import Val
from dslc.program import DataSource, Init, value_text
from dslc.source import Span
from dslc.syntax import ast

if TYPE_CHECKING:
    from dslc.elaborate.files import FileScope

Value = Any
LARGEST = 2**63


class Poison:
    """The value of something that has failed already."""

    def __repr__(self) -> str:
        return "POISON"


POISON = Poison()


@dataclass(frozen=True, eq=False)
class Several:
    """The results of a block or operator that has more than one."""

    values: tuple[Value, ...]


@dataclass(frozen=True)
class Group:
    """The dims that `*s` stands for."""

    dims: tuple[Dim, ...]


@dataclass(frozen=True, eq=False)
class BlockValue:
    """A block with the file that it sees."""

    decl: ast.Block
    file: FileScope

    @property
    def name(self) -> str:
        return self.decl.name.id


@dataclass(frozen=True, eq=False)
class OperatorValue:
    """An operator called by its name (`op.mean`, or `relu` given for a layer)."""

    name: str


@dataclass(frozen=True, eq=False)
class NetworkDecl:
    """A network with the file that it sees."""

    decl: ast.Network
    file: FileScope

    @property
    def name(self) -> str:
        return self.decl.name.id


@dataclass(frozen=True, eq=False)
class LayerValue:
    """A block or operator whose settings are bound and whose tensors are open; `address` is where its weights live.

    `arguments`: settings by name, evaluated where the layer was written.
    """

    target: BlockValue | OperatorValue
    arguments: Mapping[str, Value]
    address: str
    span: Span


@dataclass(frozen=True, eq=False)
class NetworkValue:
    """A called network: every top-level name of its body in its final value (R5)."""

    name: str
    names: Mapping[str, Value]
    outputs: tuple[str, ...]
    span: Span


@dataclass(frozen=True, eq=False)
class DataValue:
    """`data` of a train body; `types` is None where the schema is not known."""

    source: DataSource
    types: Mapping[str, TensorType] | None
    span: Span


@dataclass(eq=False, slots=True)
class Binding:
    """What a name is bound to, where that stands, and what kind of name it is."""

    value: Value
    span: Span
    kind: str = "value"
    note: str = field(default="")


def leaves(value: Value, most: int) -> int:
    """How many items a list has, those of the lists in it counted too; counting ends beyond `most`."""
    count, stack = 0, [value]
    while stack and count <= most:
        items = stack.pop()
        count += len(items)
        stack += [item for item in items if item.__class__ is tuple]
    return count


def size(dim: Dim) -> int | Dim:
    """A dim as a compile-time value: an int where it is constant."""
    return dim.constant if dim.is_constant else dim


def is_number(value: Value) -> bool:
    """An int or a float (no truth value)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_int(value: Value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_scalar(value: Value) -> bool:
    """What may stand for a tensor of rank 0."""
    return is_number(value) or isinstance(value, (bool, Dim))


def is_poison(*values: Value) -> bool:
    for value in values:  # noqa: SIM110 (a generator takes twice the time, and every value is asked)
        if value is POISON or (isinstance(value, tuple) and is_poison(*value)):
            return True
    return False


def text_of(value: Value) -> str:
    """A compile-time value as people write it."""
    if isinstance(value, bool | DType | str | Init | float):
        return value_text(value)
    if isinstance(value, tuple):
        return f"[{', '.join(text_of(item) for item in value)}]"
    if isinstance(value, (LayerValue, BlockValue, OperatorValue, NetworkDecl, NetworkValue, DataValue, Several, Group, Poison)):
        return words_of(value)
    return str(value.type) if isinstance(value, Val) else str(value)


def counted(count: int, noun: str) -> str:
    """`1 name`, `2 names`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


WORDS: tuple[tuple[type, str], ...] = (
    (bool, "a truth value"),
    (int, "an int"),
    (float, "a float"),
    (Dim, "a size"),
    (DType, "a dtype"),
    (str, "a string"),
    (tuple, "a list"),
    (Init, "an initialiser"),
    (LayerValue, "a layer"),
    (BlockValue, "a block"),
    (OperatorValue, "an operator"),
    (NetworkDecl, "a network"),
    (NetworkValue, "a called network"),
    (DataValue, "a data source"),
    (Several, "several values"),
    (Group, "a group of axes"),
)


def words_of(value: Value) -> str:
    """What kind of value it is, with the value where it is short."""
    if isinstance(value, Val):
        return f"a tensor {value.type}"
    words = next((words for kind, words in WORDS if isinstance(value, kind)), "nothing")
    if isinstance(value, (bool, int, float, Dim, DType)) or (isinstance(value, str) and len(value) < 40):
        return f"{words}, {text_of(value)}"
    return words
