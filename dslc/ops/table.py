"""The operator table: one sufficient row for each operator, and the inference of result types from its signature.

A row is declared with `op(signature, doc, ...)` in a family file (`elementwise.py`, `reduce.py`, ...). The signature is the language's
own notation and *is* the shape rule: equal letters unify, `*s` matches any axes. Only operators whose result sizes are
arithmetic name a `shape` function. Nothing here imports numpy.

Dtype letters in signatures: `f` any float, `i` any integer, `n` any number (float or integer), `t` anything; equal letters are equal
dtypes; concrete names (`bool`, `i64`) mean themselves, except that an `i64` *input* takes any integer type (R10).
Attribute types: int float bool string dtype shape axes (int or list of int) sizes (int, or one int for each spatial axis)
padding (int; one for each spatial axis; [before, after] pairs; or "same") list[int] list[float] number (int or float).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Literal

from dslc.ir.graph import Attr
from dslc.ir.types import TensorType

if TYPE_CHECKING:
    from dslc.syntax.ast import Signature

Kind = Literal["elementwise", "reduce", "movement", "linalg", "conv", "pool", "norm", "loss", "random", "constant", "scan", "update"]


@dataclass(frozen=True)
class Unsupported:
    """Why an operator has no ONNX form: `unsupported("training only")`."""

    reason: str


def unsupported(reason: str) -> Unsupported:
    return Unsupported(reason)


@dataclass(frozen=True)
class Case:
    """One sample for the generated tests: input types with a generator of values for each, and attributes."""

    inputs: tuple[Any, ...]  # arrays
    attrs: dict[str, Any] = field(default_factory=dict)


GradRule = Callable[..., Any]
"""`rule(g, y, *inputs, **attrs) -> Val`: over `Val`s (value.py). With several outputs `g` and `y` are tuples (`g[i]` None if unused)."""


@dataclass(frozen=True)
class Op:
    """One operator.

    eval: `eval(xp, *inputs, **attrs)` -> array, or a tuple for several results; over an array namespace `xp` (NumPy, CuPy, a tracer).
      None: the row stands by its signature only (it can be checked and shown, not run).
    grad: input name -> rule, or None where it is not differentiable on purpose. Every floating input must be named.
    shape: `shape(*input types, **attrs) -> TensorType | tuple` for sizes that a signature cannot say; raises `Mismatch`.
    onnx: the ONNX operator's name, "lower" (a function in `exporters/onnx/lowerings/`), or `unsupported(reason)`.
    sample: `sample(rng) -> list[Case]`, float64 inputs where the gradient exists (away from kinks).
    analytic: eval also accepts complex inputs, so that complex-step differentiation applies.
    parts: for means over what counts (mean, losses): `parts(*inputs, **attrs) -> (total Val, count Val)` with y = total / count (R15, R16).
    gathered: a metric that needs the values of the whole split at once: its inputs are gathered over the batches (R16).
    """

    text: str
    doc: str
    kind: Kind
    eval: Callable[..., Any] | None
    grad: Mapping[str, GradRule | None]
    shape: Callable[..., Any] | None
    onnx: str | Unsupported
    sample: Callable[[Any], list[Case]] | None
    analytic: bool
    internal: bool  # not callable from the language (gradient kernels)
    random: bool
    parts: Callable[..., Any] | None
    gathered: bool
    example: str

    @cached_property
    def name(self) -> str:
        return self.text[: self.text.index("(")].strip()

    @cached_property
    def signature(self) -> Signature:
        """Parsed when first needed: most runs use few rows."""
        from dslc.syntax.parse import parse_signature

        return parse_signature(self.text)


TABLE: dict[str, Op] = {}


def op(
    signature: str,
    doc: str,
    *,
    kind: Kind,
    eval: Callable[..., Any] | None = None,
    grad: Mapping[str, GradRule | None] | None = None,
    shape: Callable[..., Any] | None = None,
    onnx: str | Unsupported = "lower",
    sample: Callable[[Any], list[Case]] | None = None,
    analytic: bool = False,
    internal: bool = False,
    random: bool = False,
    parts: Callable[..., Any] | None = None,
    gathered: bool = False,
    example: str = "",
) -> Op:
    """Declare a row and put it into the table."""
    row = Op(signature, doc, kind, eval, grad or {}, shape, onnx, sample, analytic, internal, random, parts, gathered, example)
    if row.name in TABLE:
        raise ValueError(f"operator {row.name} is declared twice")
    TABLE[row.name] = row
    return row


def lookup(name: str) -> Op:
    """The row called `name`; KeyError if there is none."""
    load()
    return TABLE[name]


def rows() -> Iterator[Op]:
    """All rows in order of declaration."""
    load()
    return iter(TABLE.values())


@cache
def load() -> None:
    """Import the family files once (no work at import of this module)."""
    from dslc.ops import (  # noqa: F401
        activation,
        arrange,
        augment,
        average,
        circular,
        conv,
        conv_transpose,
        covariance,
        depth,
        einsum,
        elementwise,
        functions,
        gradient,
        group_norm,
        indexing,
        linalg,
        loss,
        lp_pool,
        lrn,
        metric,
        movement,
        norm,
        pad,
        pool,
        random,
        ranking,
        reduce,
        regression,
        resize,
        scan,
        statistics,
        unfold,
        unpool,
    )


@dataclass
class Mismatch(Exception):
    """Types that do not fit a row. The elaborator turns it into a located diagnostic.

    argument: name of the tensor parameter at fault; wanted, found: what the row says and what was given, as text;
    axis: the axis at fault (from 0) or None; other: a second argument that disagrees; reason: one sentence.
    """

    argument: str
    reason: str
    wanted: str = ""
    found: str = ""
    axis: int | None = None
    other: str = ""

    def __str__(self) -> str:
        return self.reason


def infer(name: str, inputs: Sequence[TensorType], attrs: Mapping[str, Attr]) -> tuple[TensorType, ...]:
    """Result types of an application, from the signature and, where it names one, the `shape` function.

    `attrs` are bound already (`bind_attrs`). Raises `Mismatch`.
    """
    from dslc.ops.infer import infer_types, known_types

    try:
        return known_types(name, tuple(inputs), tuple(attrs.items()))
    except TypeError:  # a setting that has no hash
        return infer_types(lookup(name), inputs, attrs)
