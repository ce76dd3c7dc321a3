"""What is probably a mistake: looked for where a node is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dslc.elaborate import errors
from dslc.elaborate.values import Value
from dslc.ops.value import Val
from dslc.source import Span

if TYPE_CHECKING:
    from dslc.elaborate.frame import Frame

TAKES_LOGITS = {
    **dict.fromkeys(("cross_entropy", "soft_cross_entropy", "brier", "calibration_error"), "softmax"),
    **dict.fromkeys(("binary_cross_entropy", "focal"), "sigmoid"),
}
TAKES_LOGARITHMS = frozenset(["nll", "kl_divergence"])
DECISIONS = frozenset(["class_counts", "confusion_matrix"])
PRODUCTS = frozenset(["matmul", "conv"])
VIEWS = frozenset(["reshape", "transpose", "identity"])


def look(frame: Frame, name: str, inputs: Sequence[Val], span: Span) -> None:
    """Report the warnings that the new node gives rise to."""
    if inputs:
        scores(frame, name, inputs[0], span)
    if name == "cross_entropy":
        choice(frame, inputs[0], span)
    if name in DECISIONS:
        decisions(frame, inputs[0], inputs[1], span)
    if name in PRODUCTS:
        for value in inputs:
            zero_weight(frame, value, span)


def block(frame: Frame, name: str, x: Value, span: Span) -> None:
    """The same for a block of the standard library, called with `x`."""
    if isinstance(x, Val):
        scores(frame, name, x, span)
        if name == "batch_norm":
            biased(frame, x, span)


def scores(frame: Frame, name: str, x: Val, span: Span) -> None:
    """A loss that applies the softmax itself, or takes its logarithm, and is given the softmax."""
    if name not in TAKES_LOGITS and name not in TAKES_LOGARITHMS:
        return
    function, _ = maker(frame, x)
    if function == TAKES_LOGITS.get(name):
        frame.report(errors.SoftmaxBeforeCrossEntropy(span=span, loss=name, function=function))
    if function == "softmax" and name in TAKES_LOGARITHMS:
        frame.report(errors.SoftmaxWithoutLog(span=span, loss=name))


def choice(frame: Frame, x: Val, span: Span) -> None:
    """A loss over classes of which there is one; the node was made just now."""
    axis = frame.tape.builder.nodes[-1].attrs["axis"]
    assert isinstance(axis, int)
    if x.type.shape[axis].is_constant and x.type.shape[axis].constant == 1:
        frame.report(errors.OneClass(span=span))


def decisions(frame: Frame, x: Val, label: Val, span: Span) -> None:
    """Two classes told apart by a threshold that no sigmoid passes; the node was made just now."""
    threshold = frame.tape.builder.nodes[-1].attrs["threshold"]
    assert isinstance(threshold, float)
    if x.type.shape == label.type.shape and not 0 < threshold < 1 and maker(frame, x)[0] == "sigmoid":
        frame.report(errors.ThresholdOutside(span=span, threshold=f"{threshold:g}"))


def maker(frame: Frame, value: Val) -> tuple[str, tuple[Val, ...]]:
    """The operator behind a value, views left out."""
    name, inputs = frame.tape.source(value)
    for _ in range(8):
        if name not in VIEWS or not inputs:
            break
        name, inputs = frame.tape.source(inputs[0])
    return name, inputs


def zero_weight(frame: Frame, value: Val, span: Span) -> None:
    root = frame.tape.root
    address = root.weight_ids.get(value.id) if value.builder is root.builder else None
    weight = root.weights.get(address) if address is not None else None
    if weight is not None and is_zero(weight.init.name, weight.init.args):
        frame.report(errors.ZeroWeights(span=span, address=weight.address))


def is_zero(name: str, args: object) -> bool:
    return name == "zeros" or (name == "constant" and isinstance(args, dict) and args.get("value") == 0)


def biased(frame: Frame, value: Val, span: Span) -> None:
    """A batch norm of something that a bias was just added to."""
    name, inputs = frame.tape.source(value)
    if name != "add":
        return
    for operand in inputs:
        root, behind = operand, frame.tape.source(operand)
        while behind[0] in VIEWS and behind[1]:
            root, behind = behind[1][0], frame.tape.source(behind[1][0])
        if root.builder is frame.tape.root.builder and root.id in frame.tape.root.weight_ids:
            frame.report(errors.BiasBeforeBatchNorm(span=span))
            return
