"""The syntax tree: one node a construct, a span on every node, flat n-ary chains (depth = depth of brackets).

Nodes are never changed; they are not `frozen`, as that triples the time in which one is made.
"""

from __future__ import annotations

from dataclasses import dataclass

from dslc.source import Source, Span


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Node:
    span: Span


# ---- expressions ----------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Name(Node):
    id: str


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Int(Node):
    value: int


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Float(Node):
    value: float


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class String(Node):
    value: str


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Bool(Node):
    value: bool


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Rest(Node):
    """`*s` inside a shape or list."""

    name: Name


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class List(Node):
    items: tuple[Expr | Rest, ...]


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Paren(Node):
    value: Expr


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Arg(Node):
    """An argument; `name` is None for a positional one."""

    name: Name | None
    value: Expr


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Stage(Node):
    """One stage of a chain: `path(args) as name`; `args` is None where no parentheses stand."""

    path: tuple[Name, ...]
    args: tuple[Arg, ...] | None
    alias: Name | None


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Pipe(Node):
    first: Expr
    stages: tuple[Stage, ...]


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Cond(Node):
    """`if test then a else b`."""

    test: Expr
    then: Expr
    other: Expr


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class BoolOp(Node):
    """`a or b or c` (`op` is "or") or `a and b` (`op` is "and")."""

    op: str
    values: tuple[Expr, ...]


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Not(Node):
    value: Expr


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Compare(Node):
    """One comparison: `op` is == != < <= > >=."""

    op: str
    left: Expr
    right: Expr


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Term(Node):
    """An operator and its right operand; `span` is that of the operator."""

    op: str
    value: Expr


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Arith(Node):
    """A flat left-associative chain of one precedence level: + - , or * / // % @."""

    first: Expr
    terms: tuple[Term, ...]


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Neg(Node):
    value: Expr


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Power(Node):
    base: Expr
    exponent: Expr


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Call(Node):
    func: Expr
    args: tuple[Arg, ...]


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Ellipsis(Node):
    """`..` as an index: all axes between."""


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Slice(Node):
    start: Expr | None
    stop: Expr | None


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Index(Node):
    value: Expr
    items: tuple[Expr | Slice | Ellipsis, ...]


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Field(Node):
    value: Expr
    name: Name


Expr = Name | Int | Float | String | Bool | List | Paren | Pipe | Cond | BoolOp | Not | Compare | Arith | Neg | Power | Call | Index | Field


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Type(Node):
    """`i64[batch, *s]`, `[c]` (dtype None), `int`, `list[int]` (dtype "list", dims (Name int,)); dims None: no brackets."""

    dtype: Name | None
    dims: tuple[Expr | Rest, ...] | None


# ---- statements -----------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Body(Node):
    """`{ ... }`, braces included in the span."""

    statements: tuple[Statement, ...]


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Header(Node):
    version: Int


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Import(Node):
    names: tuple[Name, ...]
    path: String
    args: tuple[Arg, ...]


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Param(Node):
    name: Name
    type: Type
    default: Expr | None
    low: Expr | None  # `in low..high log`; a list of choices stands in `low` with `high` None
    high: Expr | None
    log: bool


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Parm(Node):
    """A parameter in a block's head or an operator's signature."""

    name: Name
    type: Type | None
    default: Expr | None


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Block(Node):
    name: Name
    parms: tuple[Parm, ...]
    body: Body


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Network(Node):
    name: Name
    body: Body


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Train(Node):
    name: Name | None
    body: Body


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Generate(Node):
    name: Name | None
    body: Body


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Scan(Node):
    """`scan(args) a, b in xs, ys over time { ... }`: the right-hand side of an assignment."""

    args: tuple[Arg, ...]
    names: tuple[Name, ...]
    values: tuple[Expr, ...]
    over: Name | Int
    body: Body


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Assign(Node):
    names: tuple[Name, ...]
    values: tuple[Expr, ...] | Scan


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Setting(Node):
    """`key: value` or `key name: value` (`loss size: e`)."""

    key: Name
    name: Name | None
    value: Expr


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Input(Node):
    name: Name
    type: Type
    default: Expr | None


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Output(Node):
    names: tuple[Name, ...]
    value: Expr | None


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Weight(Node):
    name: Name
    type: Type
    init: Expr


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class State(Node):
    names: tuple[Name, ...]
    type: Type | None
    init: Expr


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Update(Node):
    name: Name
    value: Expr


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Layer(Node):
    name: Name
    value: Expr


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class For(Node):
    """`for name in low..high {}` or, with `high` None, `for name in list {}`."""

    name: Name
    low: Expr
    high: Expr | None
    body: Body


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class If(Node):
    """`if a {} else if b {} else {}`: `arms` in order, `other` the last else or None."""

    arms: tuple[tuple[Expr, Body], ...]
    other: Body | None


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Carry(Node):
    names: tuple[Name, ...]
    type: Type | None
    init: Expr | None


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Yield(Node):
    values: tuple[Expr, ...]


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Return(Node):
    values: tuple[Expr, ...]


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Step(Node):
    name: Name
    body: Body


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Rule(Node):
    pattern: String
    body: Body


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Value(Node):
    """A bare expression as a statement: always an error, kept for recovery."""

    value: Expr


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Error(Node):
    """Text that could not be parsed (already reported). `names`: names it would probably have bound, to be poisoned."""

    names: tuple[str, ...]
    body: Body | None


Statement = (
    Header | Import | Param | Block | Network | Train | Generate | Assign | Setting | Input | Output | Weight | State
    | Update | Layer | For | If | Carry | Yield | Return | Step | Rule | Value | Error
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment from `#` to the end of its line; `own_line`: nothing but blanks stands before it."""

    span: Span
    own_line: bool


@dataclass(frozen=True, slots=True)
class File:
    """A parsed file. `complete` is False if a syntax error was reported for it; `tokens`: how many words and signs it has."""

    source: Source
    statements: tuple[Statement, ...]
    comments: tuple[Comment, ...]
    complete: bool
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Signature:
    """`name(parms) -> types`: the head of an operator row."""

    name: str
    parms: tuple[Parm, ...]
    results: tuple[Type, ...]
