"""Groups of our nodes that are one ONNX operator: convolution with bias, normalisations.

Found on the graph before it is lowered; each match says which nodes it covers and how the whole is written.
"""

from __future__ import annotations

from collections.abc import Mapping

from dslc.ir.graph import Graph, Node
from dslc.ir.types import Dim
from exporters.onnx.lowerings.conv_transpose import transpose_attributes
from exporters.onnx.lowerings.window import conv_attributes
from exporters.onnx.matches import Match, Uses
from exporters.onnx.model import Writer
from exporters.onnx.norms import group_norm, layer_norm, rms_norm
from exporters.onnx.opset import DEFAULT


def find(graph: Graph, keep: frozenset[int] = frozenset(), opset: int = DEFAULT) -> dict[int, Match]:
    """All matches of a graph, keyed by the value id that each defines. Values in `keep` stay visible."""
    uses = Uses(graph, opset)
    uses.published |= keep
    found: dict[int, Match] = {}
    for node in graph.nodes:
        for recognise in (conv_bias, batch_norm, group_norm, layer_norm, rms_norm):
            match = recognise(uses, node)
            if match is not None:
                found[match.last] = match
    return found


def conv_bias(uses: Uses, node: Node) -> Match | None:
    """add(conv(x, w), reshape(b, [c, 1, 1])) is Conv(x, w, b), and so for the transposed convolution."""
    if node.op != "add":
        return None
    conv = convolution(uses, node)
    shift = uses.made(node.inputs[1], "reshape")
    if conv is None or shift is None:
        return None
    types = uses.graph.types
    bias, result, spread = types[shift.inputs[0]], types[node.outputs[0]], types[shift.outputs[0]]
    unit = Dim.of(1)
    wanted = (result.shape[1], *(unit for _ in result.shape[2:]))
    if bias.shape != wanted[:1] or spread.shape not in (wanted, (unit, *wanted)):
        return None

    titles = {"conv": "Conv", "conv_transpose": "ConvTranspose"}

    def write(w: Writer) -> None:
        w.current = node.model_copy(update={"address": conv.address, "place": conv.place})
        inputs = [w.names[id] for id in (*conv.inputs, shift.inputs[0])]
        if conv.op == "conv":
            attributes = conv_attributes(conv, types[conv.inputs[0]], types[conv.inputs[1]])
        else:
            attributes = transpose_attributes(conv, types[conv.inputs[1]])
        w.emit(titles[conv.op], inputs, result, w.names[node.outputs[0]], **attributes)

    covered = {conv.outputs[0]}
    spread_id = shift.outputs[0]
    merged = all(reader.op == "add" and reader.inputs[1] == spread_id and convolution(uses, reader) for reader in uses.readers[spread_id])
    if merged and spread_id not in uses.published:
        covered.add(spread_id)
    return Match(f"{titles[conv.op]} with bias", node.outputs[0], frozenset(covered), write)


def convolution(uses: Uses, node: Node) -> Node | None:
    """The convolution whose only use is to be the first input of `node`."""
    return uses.only(node.inputs[0], "conv") or uses.only(node.inputs[0], "conv_transpose")


def batch_norm(uses: Uses, node: Node) -> Match | None:
    """channel_affine(x, γ / √(v + ε), β - m·γ / √(v + ε)) with running m, v is BatchNormalization(x, γ, β, m, v)."""
    if node.op != "channel_affine":
        return None
    x, scale_id, shift_id = node.inputs
    scale, shift = uses.made(scale_id, "divide"), uses.made(shift_id, "subtract")
    if scale is None or shift is None:
        return None
    root, part = uses.made(scale.inputs[1], "sqrt"), uses.made(shift.inputs[1], "divide")
    if root is None or part is None or part.inputs[1] != scale.inputs[1]:
        return None
    total, product = uses.made(root.inputs[0], "add"), uses.made(part.inputs[0], "multiply")
    if total is None or product is None or scale.inputs[0] not in product.inputs:
        return None
    eps = uses.made(total.inputs[1], "constant")
    if eps is None:
        return None
    gamma, beta, variance = scale.inputs[0], shift.inputs[0], total.inputs[0]
    mean = product.inputs[0] if product.inputs[1] == gamma else product.inputs[1]
    kinds: Mapping[int, str] = {item.id: item.kind for item in uses.graph.inputs}
    if [kinds.get(id) for id in (gamma, beta, mean, variance)] != ["weight", "weight", "state", "state"]:
        return None
    inside = [scale, shift, root, part, total, product]
    members = {id(n) for n in (*inside, node)}
    covered = {
        n.outputs[0] for n in inside
        if n.outputs[0] not in uses.published and all(id(reader) in members for reader in uses.readers[n.outputs[0]])
    }  # fmt: skip
    if len(covered) != len(inside):
        return None
    epsilon = float(eps.attrs["value"])  # type: ignore[arg-type]

    def write(w: Writer) -> None:
        w.current = node
        inputs = [w.names[id] for id in (x, gamma, beta, mean, variance)]
        # Without meaning here; below opset 14 it says to peers that take the default for training that the statistics stay.
        momentum = 1.0 if w.opset < 14 else None
        type, output = uses.graph.types[node.outputs[0]], w.names[node.outputs[0]]
        w.emit("BatchNormalization", inputs, type, output, epsilon=epsilon, momentum=momentum)

    return Match("BatchNormalization", node.outputs[0], frozenset(covered), write)
