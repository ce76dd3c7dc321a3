"""The syntax tree: one frozen node a construct, a span on every node, flat n-ary chains (depth = depth of brackets)."""

from __future__ import annotations

from dataclasses import dataclass

from dslc.source import Source, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    span: Span


# ---- expressions ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Name(Node):
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Int(Node):
    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Float(Node):
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class String(Node):
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bool(Node):
    value: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest(Node):
    """`*s` inside a shape or list."""

    name: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class List(Node):
    items: tuple[Expr | Rest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paren(Node):
    value: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class Arg(Node):
    """An argument; `name` is None for a positional one."""

    name: Name | None
    value: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage(Node):
    """One stage of a chain: `path(args) as name`; `args` is None where no parentheses stand."""

    path: tuple[Name, ...]
    args: tuple[Arg, ...] | None
    alias: Name | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipe(Node):
    first: Expr
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cond(Node):
    """`if test then a else b`."""

    test: Expr
    then: Expr
    other: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class BoolOp(Node):
    """`a or b or c` (`op` is "or") or `a and b` (`op` is "and")."""

    op: str
    values: tuple[Expr, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Not(Node):
    value: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare(Node):
    """One comparison: `op` is == != < <= > >=."""

    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class Term(Node):
    """An operator and its right operand; `span` is that of the operator."""

    op: str
    value: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class Arith(Node):
    """A flat left-associative chain of one precedence level: + - , or * / // % @."""

    first: Expr
    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Neg(Node):
    value: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class Power(Node):
    base: Expr
    exponent: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Node):
    func: Expr
    args: tuple[Arg, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ellipsis(Node):
    """`..` as an index: all axes between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice(Node):
    start: Expr | None
    stop: Expr | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Index(Node):
    value: Expr
    items: tuple[Expr | Slice | Ellipsis, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field(Node):
    value: Expr
    name: Name


Expr = Name | Int | Float | String | Bool | List | Paren | Pipe | Cond | BoolOp | Not | Compare | Arith | Neg | Power | Call | Index | Field


@dataclass(frozen=True, slots=True, kw_only=True)
class Type(Node):
    """`i64[batch, *s]`, `[c]` (dtype None), `int`, `list[int]` (dtype "list", dims (Name int,)); dims None: no brackets."""

    dtype: Name | None
    dims: tuple[Expr | Rest, ...] | None


# ---- statements -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Body(Node):
    """`{ ... }`, braces included in the span."""

    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Header(Node):
    version: Int


@dataclass(frozen=True, slots=True, kw_only=True)
class Import(Node):
    names: tuple[Name, ...]
    path: String
    args: tuple[Arg, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Param(Node):
    name: Name
    type: Type
    default: Expr | None
    low: Expr | None  # `in low..high log`; a list of choices stands in `low` with `high` None
    high: Expr | None
    log: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Parm(Node):
    """A parameter in a block's head or an operator's signature."""

    name: Name
    type: Type | None
    default: Expr | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Block(Node):
    name: Name
    parms: tuple[Parm, ...]
    body: Body


@dataclass(frozen=True, slots=True, kw_only=True)
class Network(Node):
    name: Name
    body: Body


@dataclass(frozen=True, slots=True, kw_only=True)
class Train(Node):
    name: Name | None
    body: Body


@dataclass(frozen=True, slots=True, kw_only=True)
class Generate(Node):
    name: Name | None
    body: Body


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan(Node):
    """`scan(args) a, b in xs, ys over time { ... }`: the right-hand side of an assignment."""

    args: tuple[Arg, ...]
    names: tuple[Name, ...]
    values: tuple[Expr, ...]
    over: Name | Int
    body: Body


@dataclass(frozen=True, slots=True, kw_only=True)
class Assign(Node):
    names: tuple[Name, ...]
    values: tuple[Expr, ...] | Scan


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting(Node):
    """`key: value` or `key name: value` (`loss size: e`)."""

    key: Name
    name: Name | None
    value: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class Input(Node):
    name: Name
    type: Type
    default: Expr | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Output(Node):
    names: tuple[Name, ...]
    value: Expr | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight(Node):
    name: Name
    type: Type
    init: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class State(Node):
    names: tuple[Name, ...]
    type: Type | None
    init: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class Update(Node):
    name: Name
    value: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer(Node):
    name: Name
    value: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class For(Node):
    """`for name in low..high {}` or, with `high` None, `for name in list {}`."""

    name: Name
    low: Expr
    high: Expr | None
    body: Body


@dataclass(frozen=True, slots=True, kw_only=True)
class If(Node):
    """`if a {} else if b {} else {}`: `arms` in order, `other` the last else or None."""

    arms: tuple[tuple[Expr, Body], ...]
    other: Body | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Carry(Node):
    names: tuple[Name, ...]
    type: Type | None
    init: Expr | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Yield(Node):
    values: tuple[Expr, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Return(Node):
    values: tuple[Expr, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Node):
    name: Name
    body: Body


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Node):
    pattern: String
    body: Body


@dataclass(frozen=True, slots=True, kw_only=True)
class Value(Node):
    """A bare expression as a statement: always an error, kept for recovery."""

    value: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
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
