"""A row that stands by its signature: a spec that uses it is checked, shown and formatted, and cannot be run yet."""

from __future__ import annotations

from dslc.ops.table import op, unsupported

NOT_YET = unsupported("it stands by its signature only")


op(
    "scan(xs: list[t], sequences: int, carries: int, lengths: bool = false) -> t[*r]",
    "the run-time loop: the body graph is applied along axis 1 of the sequences; results are the final carries and the stacked yields",
    kind="scan",
    onnx=NOT_YET,
    internal=True,
)
