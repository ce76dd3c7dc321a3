"""The opsets that are written natively, and the IR version that each is stamped with."""

from __future__ import annotations

from dslc.diagnostics import SpecError
from dslc.usage import BadArgument

OPSETS = range(13, 29)
DEFAULT = 21
NODE_METADATA = 10  # the first IR version whose nodes have metadata
# The smallest IR version that holds each opset, as the release table of ONNX says.
SMALLEST_IR = {13: 7, 14: 7, 15: 8, 16: 8, 17: 8, 18: 8, 19: 9, 20: 9, 21: 10, 22: 10, 23: 11, 24: 12, 25: 13, 26: 13, 27: 13, 28: 14}


def ir_version(opset: int) -> int:
    """The IR version of a model of this opset: the opset's smallest, and at least the one that has node metadata."""
    return max(NODE_METADATA, SMALLEST_IR[opset])


def runtimes(opset: int) -> tuple[str, ...]:
    """Which runtimes take a model of this opset (IR 10 with its node metadata needs onnxruntime 1.18 in any case)."""
    newest = "a release that has this opset (1.32 has all)" if opset > 21 else "1.18 or later"
    return (f"onnxruntime: {newest}", *(["TensorRT 11"] if opset <= 25 else []))


def checked(opset: int) -> int:
    """The opset, if it is one of 13 … 28; SpecError otherwise."""
    if isinstance(opset, bool) or opset not in OPSETS:
        detail = f"--opset: 13 … 28 can be written, not {str(opset)[:40]}"
        raise SpecError(BadArgument(detail=detail, usage=f"--opset {DEFAULT}"))
    return opset
