"""`Builder` writes a graph node by node; `Val` is a handle on one value with Python's arithmetic.

Gradient rules, derived operators and the elaborator all write graphs through these two, so they read like formulas:
`lambda g, y, x: g * F.sigmoid(x)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dslc.ir.graph import Attr, Graph, Input, InputKind, Node, Output
from dslc.ir.types import DType, TensorType
from dslc.ops.table import infer


@dataclass(slots=True, eq=False)
class Val:
    """A value under construction, never changed. Arithmetic with numbers makes constants of the value's own dtype."""

    builder: Builder
    id: int

    @property
    def type(self) -> TensorType:
        return self.builder.types[self.id]

    def _binary(self, op: str, other: Val | int | float, swap: bool = False) -> Val:
        if not isinstance(other, Val):
            other = self.builder.constant(other, self.type.dtype)
        left, right = (other, self) if swap else (self, other)
        return self.builder.one(op, (left, right))

    def __add__(self, other: Val | float) -> Val:
        return self._binary("add", other)

    def __radd__(self, other: float) -> Val:
        return self._binary("add", other, swap=True)

    def __sub__(self, other: Val | float) -> Val:
        return self._binary("subtract", other)

    def __rsub__(self, other: float) -> Val:
        return self._binary("subtract", other, swap=True)

    def __mul__(self, other: Val | float) -> Val:
        return self._binary("multiply", other)

    def __rmul__(self, other: float) -> Val:
        return self._binary("multiply", other, swap=True)

    def __truediv__(self, other: Val | float) -> Val:
        return self._binary("divide", other)

    def __rtruediv__(self, other: float) -> Val:
        return self._binary("divide", other, swap=True)

    def __pow__(self, other: Val | float) -> Val:
        return self._binary("pow", other)

    def __matmul__(self, other: Val) -> Val:
        return self._binary("matmul", other)

    def __neg__(self) -> Val:
        return self.builder.one("negative", (self,))


class Builder:
    """Collects inputs and nodes of one graph. `place` and `scope` are stamped on every node that is emitted.

    Addresses: the n-th node of operator `op` in `scope` is `scope/op{n}` (counted per scope and operator).
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.types: list[TensorType] = []
        self.inputs: list[Input] = []
        self.nodes: list[Node] = []
        self.outputs: list[Output] = []
        self.updates: list[Output] = []
        self.place = ""
        self.scope = ""
        self._counts: dict[tuple[str, str], int] = {}
        self._constants: dict[tuple[bool | int | float, DType], Val] = {}

    def value(self, type: TensorType) -> Val:
        """A fresh value id of this type (defined by whoever asked)."""
        self.types.append(type)
        return Val(self, len(self.types) - 1)

    def input(self, kind: InputKind, name: str, type: TensorType) -> Val:
        value = self.value(type)
        self.inputs.append(Input.made({"kind": kind, "name": name, "id": value.id, "place": self.place}))
        return value

    def key(self) -> Val:
        """The graph's key input (seed, step, first sample), made when first asked for."""
        for item in self.inputs:
            if item.kind == "key":
                return Val(self, item.id)
        from dslc.ir.types import tensor

        return self.input("key", "key", tensor("i64", 3))

    def emit(self, op: str, inputs: Sequence[Val], attrs: Mapping[str, Attr] | None = None, body: Graph | None = None,
             types: Sequence[TensorType] | None = None, address: str = "") -> tuple[Val, ...]:  # fmt: skip
        """Append a node; `attrs` are complete, `types` are inferred where they are not given. Returns its results."""
        attrs = dict(attrs or {})
        if types is None:
            types = infer(op, [value.type for value in inputs], attrs)
        results = tuple(self.value(type) for type in types)
        fields: dict[str, Any] = {
            "op": op,
            "inputs": tuple([value.id for value in inputs]),
            "outputs": tuple([value.id for value in results]),
            "attrs": attrs,
            "body": body,
            "place": self.place,
            "address": address or self.address(op),
        }
        self.nodes.append(Node(**fields) if attrs else Node.made(fields))  # attributes are checked
        return results

    def one(self, op: str, inputs: Sequence[Val], **attrs: Attr) -> Val:
        """`emit` for an operator with one result; attributes that are left out take the row's defaults."""
        from dslc.ops.infer import bind_attrs

        return self.emit(op, inputs, bind_attrs(op, attrs, [value.type for value in inputs]))[0]

    def many(self, op: str, inputs: Sequence[Val], **attrs: Attr) -> tuple[Val, ...]:
        """`one` for several results."""
        from dslc.ops.infer import bind_attrs

        return self.emit(op, inputs, bind_attrs(op, attrs, [value.type for value in inputs]))

    def constant(self, value: bool | int | float, dtype: DType) -> Val:
        """A rank-0 constant; equal ones are one node."""
        number: bool | int | float = bool(value) if dtype is DType.bool else float(value) if dtype.is_float else int(value)
        key = (number, dtype)
        if key not in self._constants:
            self._constants[key] = self.one("constant", (), value=number, dtype=dtype)
        return self._constants[key]

    @property
    def constants(self) -> dict[int, tuple[bool | int | float, DType]]:
        """The number and dtype of each constant that `constant` made, by id."""
        return {value.id: (number, dtype) for (number, dtype), value in self._constants.items()}

    def is_constant(self, value: Val, number: float) -> bool:
        """Whether `value` is the constant `number` of its dtype, as `constant` made it."""
        known = self._constants.get((number, value.type.dtype))
        return known is not None and known.id == value.id

    def address(self, op: str) -> str:
        number = self._counts.get((self.scope, op), 0)
        self._counts[self.scope, op] = number + 1
        return f"{self.scope}/{op}{number}" if self.scope else f"{op}{number}"

    def output(self, name: str, value: Val) -> None:
        self.outputs.append(Output(name=name, id=value.id))

    def update(self, state: str, value: Val) -> None:
        self.updates.append(Output(name=state, id=value.id))

    def build(self) -> Graph:
        return Graph(
            name=self.name,
            types=tuple(self.types),
            inputs=tuple(self.inputs),
            nodes=tuple(self.nodes),
            outputs=tuple(self.outputs),
            updates=tuple(self.updates),
        )


class _Functions:
    """`F.sigmoid(x)`, `F.sum(x, axis=(0,), keep=True)`: an operator with one result applied to `Val`s by its name."""

    def __getattr__(self, name: str) -> Callable[..., Val]:
        def apply(*inputs: Val, **attrs: Attr) -> Val:
            return inputs[0].builder.one(name, inputs, **attrs)

        return apply


F = _Functions()
