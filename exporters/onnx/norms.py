"""Normalisations with their scale and shift, each one ONNX operator where the opset has it.

| ours | ONNX | opset |
|---|---|---|
| channel_affine(group_normalize(x), γ, β), as many groups as channels | InstanceNormalization | 13 |
| channel_affine(group_normalize(x), γ, β) | GroupNormalization | 21: from 18 on it has one scale for each group, which is not this |
| normalize(x) · γ + β over the last axes | LayerNormalization | 17 |
| rms_normalize(x) · γ over the last axes | RMSNormalization | 23 |

Below, in double precision (epsilon is a float32 in ONNX, and few peers have the operators) and for groups of one value (a peer's rounding
comes out 1/√ε as large), the nodes are lowered one by one.
"""

from __future__ import annotations

from dslc.ir.graph import Node
from dslc.ir.types import Dim, DType, TensorType
from dslc.ops.group_norm import members
from exporters.onnx.lowerings.base import axes_of
from exporters.onnx.matches import Match, Uses
from exporters.onnx.model import Writer


def group_norm(uses: Uses, node: Node) -> Match | None:
    inner = uses.only(node.inputs[0], "group_normalize") if node.op == "channel_affine" else None
    if inner is None:
        return None
    type = uses.graph.types[node.outputs[0]]
    groups = number(inner, "groups")
    if type.dtype is not DType.f32 or type.rank < 3 or members(type.shape, groups)[2] == Dim.of(1):
        return None
    if type.shape[1] == Dim.of(groups):
        return match(uses, "InstanceNormalization", node, [inner], [inner.inputs[0], *node.inputs[1:]], epsilon=inner.attrs["eps"])
    if uses.opset < 21:
        return None
    settings = {"num_groups": groups, "epsilon": inner.attrs["eps"]}
    return match(uses, "GroupNormalization", node, [inner], [inner.inputs[0], *node.inputs[1:]], **settings)


def layer_norm(uses: Uses, node: Node) -> Match | None:
    if node.op != "add" or uses.opset < 17:
        return None
    for place, shift in ((0, 1), (1, 0)):
        product = uses.only(node.inputs[place], "multiply")
        scaled = normalised(uses, product, "normalize") if product is not None else None
        if product is None or scaled is None:
            continue
        inner, gamma, axis = scaled
        beta = node.inputs[shift]
        if uses.graph.types[beta].shape == uses.graph.types[gamma].shape:
            inputs = [inner.inputs[0], gamma, beta]
            return match(uses, "LayerNormalization", node, [inner, product], inputs, axis=axis, epsilon=inner.attrs["eps"])
    return None


def rms_norm(uses: Uses, node: Node) -> Match | None:
    scaled = normalised(uses, node, "rms_normalize") if node.op == "multiply" and uses.opset >= 23 else None
    if scaled is None:
        return None
    inner, gamma, axis = scaled
    return match(uses, "RMSNormalization", node, [inner], [inner.inputs[0], gamma], axis=axis, epsilon=inner.attrs["eps"])


def normalised(uses: Uses, product: Node, op: str) -> tuple[Node, int, int] | None:
    """The normalising node, the scale and the first of the last axes, where `product` is the one times the other."""
    for place, scale in ((0, 1), (1, 0)):
        inner = uses.only(product.inputs[place], op)
        if inner is None:
            continue
        type, gamma = uses.graph.types[inner.inputs[0]], uses.graph.types[product.inputs[scale]]
        if fits(inner, type, gamma):
            return inner, product.inputs[scale], -gamma.rank
    return None


def fits(inner: Node, type: TensorType, gamma: TensorType) -> bool:
    """Whether the axes are the last ones and the scale has just these, in single precision."""
    axes = axes_of(inner, type.rank)
    last = list(range(type.rank - len(axes), type.rank))
    return axes == last and gamma.shape == type.shape[last[0] :] and type.dtype is DType.f32


def number(node: Node, name: str) -> int:
    value = node.attrs[name]
    assert isinstance(value, int)
    return value


def match(uses: Uses, title: str, node: Node, inside: list[Node], inputs: list[int], **attributes: object) -> Match:
    """`node` and those `inside` written as the operator `title`."""

    def write(w: Writer) -> None:
        w.current = node.model_copy(update={"address": inside[0].address, "place": inside[0].place})
        w.emit(title, [w.names[id] for id in inputs], uses.graph.types[node.outputs[0]], w.names[node.outputs[0]], **attributes)

    return Match(title, node.outputs[0], frozenset(item.outputs[0] for item in inside), write)
