"""What a pass can find wrong."""

from __future__ import annotations

from dataclasses import dataclass

from dslc.diagnostics import Diagnostic


@dataclass(frozen=True, kw_only=True)
class NoGradient(Diagnostic):
    """A row lacks the gradient of a floating input, or gives one of a wrong type; a fault of the table."""

    operator: str
    argument: str
    reason: str

    code = "internal-gradient"
    words = "the gradient of `{operator}` to its input `{argument}`: {reason}"
    hint = "this is a fault of dslc, please report it with the spec"


@dataclass(frozen=True, kw_only=True)
class PassFailed(Diagnostic):
    """A pass raised something unexpected; a fault of the compiler."""

    name: str
    graph: str
    reason: str

    code = "internal-pass"
    words = "the pass `{name}` fails on the graph {graph}: {reason}"
    hint = "this is a fault of dslc, please report it with the spec"


@dataclass(frozen=True, kw_only=True)
class NotJoinable(Diagnostic):
    """A metric (or loss) whose reductions over `batch` cannot be joined from batches (R16)."""

    name: str
    place: str
    reason: str

    code = "metric-not-joinable"
    words = "`{name}` cannot be computed over a whole split: {reason} at {place}"
    hint = "let each reduction over `batch` see values of one sample only; what combines reductions stands outside of them"
