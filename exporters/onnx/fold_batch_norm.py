"""Batch normalisation by running moments, folded into the convolution or dense layer before it (Jacob et al. 2018, section 3.2).

With s = γ / √(v + ε) and t = β - m·s a normalisation is y·s + t of each channel; so (x * w + b)·s + t = x * (w·s) + (b·s + t). w·s and
b·s + t are computed in double precision and rounded once. What counts is a `channel_affine` whose scale and shift come from parameters
alone, a state among them: with or without γ and β.

Folded is only where the layer's result has no other reader and where all readers of its weight are folded. A weight keeps its address;
readers that are scaled in other ways get copies beside it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Any

import numpy as np

from dslc.ir.graph import Graph, Input, Node
from dslc.ir.types import Dim, TensorType, tensor
from dslc.passes.drop_dead import drop_dead
from dslc.pieces import PIECE, gathered, is_finite, release
from exporters.onnx.matches import Uses
from exporters.onnx.model import dtype_of
from exporters.onnx.opset import DEFAULT
from exporters.onnx.parametric import Parametric

LAYERS = {"conv": "convolution", "conv_transpose": "transposed convolution", "matmul": "dense layer"}


@dataclass(frozen=True)
class Layer:
    """A layer before a normalisation: its product x * w, and the id of the bias that is added to it (None: no bias)."""

    norm: Node
    product: Node
    bias: int | None

    @property
    def weight(self) -> int:
        return self.product.inputs[1]

    @property
    def scaling(self) -> Hashable:
        """Equal for layers whose weights are scaled in the same way."""
        return self.weight, self.norm.inputs[1], self.product.op, self.product.attrs.get("groups")


@dataclass
class Folded:
    """graph: without the normalisations that were folded; parameters: what it reads, by address; done, left: sentences for the report."""

    graph: Graph
    parameters: dict[str, np.ndarray]
    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def fold_batch_norm(graph: Graph, parameters: Mapping[str, np.ndarray]) -> Folded:
    """Fold all that can be folded; each other normalisation is left as it is, with the reason."""
    uses, known = Uses(graph, DEFAULT), Parametric(graph, parameters)
    norms = [node for node in graph.nodes if is_norm(node, known)]
    found = {node.outputs[0]: layer_before(uses, known, node) for node in norms}
    layers = {id: item for id, item in found.items() if isinstance(item, Layer)}
    reasons = {id: item for id, item in found.items() if isinstance(item, str)}
    reasons |= shared(uses, known, layers)
    arrays: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for id, layer in layers.items():
        if id not in reasons:
            arrays[id] = scaled(graph, known, layer)
    reasons |= too_large(layers, arrays)
    kept = {id: layer for id, layer in layers.items() if id not in reasons}
    result = Rewrite(graph, known, kept, arrays).run()
    result.done = [f"{layer.norm.address} into {layer.product.address}" for layer in kept.values()]
    result.left = [f"{node.address}: {reasons[node.outputs[0]]}" for node in norms if node.outputs[0] in reasons]
    if not norms:
        result.left = ["there is no batch normalisation by running moments"]
    return result


# ---- what can be folded -----------------------------------------------------------------------------------------------------------


def is_norm(node: Node, known: Parametric) -> bool:
    """y·s + t of each channel, s and t of parameters alone, the running variance among them."""
    return node.op == "channel_affine" and all(id in known for id in node.inputs[1:]) and known.reads_state(node.inputs[1])


def layer_before(uses: Uses, known: Parametric, norm: Node) -> Layer | str:
    """The layer whose result is normalised, or why there is none that could take it in."""
    x, bias = norm.inputs[0], None
    total = uses.made(x, "add")
    if total is not None and (place := bias_place(uses.graph, known, total)) is not None:
        if taken := read_by_others(uses, x, total):
            return taken
        x, bias = total.inputs[1 - place], total.inputs[place]
    product = uses.maker.get(x)
    if product is None:
        return f"it normalises an input of the network{behind(uses, norm)}"
    dense = product if product.op == "matmul" else uses.made(product.inputs[0], "matmul") if product.op == "add" else None
    if dense is not None and uses.graph.types[x].rank != 2:
        return f"{dense.address} makes the last axis, the normalisation is along axis 1"
    if product.op not in LAYERS:
        return f"it normalises the result of {product.address}, which is no convolution or dense layer{behind(uses, norm)}"
    if taken := read_by_others(uses, x, product):
        return taken
    if product.inputs[1] not in known:
        return f"the weight of {product.address} is no parameter"
    return Layer(norm, product, bias)


def read_by_others(uses: Uses, id: int, maker: Node) -> str:
    """Why a value cannot be scaled, "" if the normalisation alone needs it."""
    if id in uses.published:
        return f"the result of {maker.address} is an output of the network"
    readers = uses.readers[id]
    if len(readers) > 1:
        return f"{len(readers)} nodes read the result of {maker.address}: {', '.join(node.address for node in readers[:3])}"
    return ""


def behind(uses: Uses, norm: Node) -> str:
    """Says why a convolution behind the normalisation cannot take it in either."""
    reader = next((node for node in uses.readers.get(norm.outputs[0], ()) if node.op in LAYERS), None)
    if reader is None:
        return ""
    pads: Any = reader.attrs.get("pad", ())
    padded = pads == "same" or any(any(pair) for pair in pads)
    why = "pads with zeros, which the normalisation does not shift" if padded else "stands behind it: only a layer before it takes it in"
    return f"; {reader.address} {why}"


def bias_place(graph: Graph, known: Parametric, total: Node) -> int | None:
    """Which input of the sum is a parameter with at most one value for each channel; None if there is none."""
    result = graph.types[total.outputs[0]]
    for place in (1, 0):
        id = total.inputs[place]
        if id in known and total.inputs[1 - place] not in known and per_channel(graph.types[id], result):
            return place
    return None


def per_channel(type: TensorType, result: TensorType) -> bool:
    """Whether it meets the result in axis 1 only, or as one number."""
    sizes = {axis - type.rank + result.rank: size for axis, size in enumerate(type.shape)}
    return all(size == Dim.of(1) or axis == 1 for axis, size in sizes.items())


def shared(uses: Uses, known: Parametric, layers: Mapping[int, Layer]) -> dict[int, str]:
    """Layers whose weight also has a reader that is not folded, or is an output, with the reason."""
    products: dict[int, set[int]] = {}
    for layer in layers.values():
        products.setdefault(layer.weight, set()).add(layer.product.outputs[0])
    found = {}
    for id, layer in layers.items():
        others = [node.address for node in uses.readers[layer.weight] if node.outputs[0] not in products[layer.weight]]
        name = known.names.get(layer.weight, "its weight")
        if layer.weight in uses.published:
            found[id] = f"{name} is an output of the network"
        elif others:
            found[id] = f"{others[0]} reads {name} too, and would be scaled"
    return found


def too_large(layers: Mapping[int, Layer], arrays: Mapping[int, tuple[np.ndarray, np.ndarray]]) -> dict[int, str]:
    """Layers that hold a number that is not finite once folded; all that share their weight stay with them."""
    bad = {layers[id].weight for id, pair in arrays.items() if not all(map(is_finite, pair))}
    return {id: "a folded weight or bias would not be finite" for id in arrays if layers[id].weight in bad}


# ---- numbers ------------------------------------------------------------------------------------------------------------------------


def scaled(graph: Graph, known: Parametric, layer: Layer) -> tuple[np.ndarray, np.ndarray]:
    """The new weight and the new bias [channels], rounded once to the layer's precision."""
    s, t = (known.value(id) for id in layer.norm.inputs[1:])
    bias = np.zeros_like(t) if layer.bias is None else np.broadcast_to(known.value(layer.bias).reshape(-1), t.shape)
    dtype = graph.types[layer.product.outputs[0]].dtype.numpy
    name = known.names.get(layer.weight)
    weight = known.parameters[name] if name is not None else known.value(layer.weight)
    rows = (row.astype(dtype).reshape(-1) for row in by_channel(layer.product, weight, s))
    with np.errstate(all="ignore"):
        return gathered(rows, dtype, weight.shape, weight), (bias * s + t).astype(dtype)


def by_channel(product: Node, weight: np.ndarray, scale: np.ndarray) -> Iterator[np.ndarray]:
    """The weight with each output channel scaled, a few rows at a time, in double precision.

    It is [out, …] of `conv`, [in, out of a group, …] of `conv_transpose`, [in, out] of `matmul`.
    """
    count = len(weight)
    step = max(1, PIECE * count // max(weight.nbytes, 1))
    for first in range(0, count, step):
        rows = weight[first : first + step]
        factors = scale_of(product, scale, np.arange(first, first + len(rows)), count)
        spread = (1 if product.op == "matmul" else len(rows), -1, *(1 for _ in weight.shape[2:]))
        yield rows.astype(np.float64) * factors.reshape(spread)
        release(rows)


def scale_of(product: Node, scale: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """The scale of each of these rows of a weight of `count` rows, or one for all: a number, or one for each output channel."""
    if product.op == "conv_transpose":
        groups: Any = product.attrs["groups"]
        return np.asarray(scale.reshape(groups, -1)[rows * groups // count])
    return scale[rows] if product.op == "conv" else scale


# ---- the graph ----------------------------------------------------------------------------------------------------------------------


class Rewrite:
    """The graph with folded layers: x * w' + b' in the place of each normalisation."""

    def __init__(
        self, graph: Graph, known: Parametric, layers: Mapping[int, Layer], arrays: Mapping[int, tuple[np.ndarray, np.ndarray]]
    ) -> None:
        self.graph, self.known, self.layers, self.arrays = graph, known, layers, arrays
        self.types = list(graph.types)
        self.made: dict[Hashable, tuple[int, str, np.ndarray]] = {}  # id, wanted address and value of each new parameter

    def run(self) -> Folded:
        products = {layer.product.outputs[0]: id for id, layer in self.layers.items()}
        nodes: list[Node] = []
        for node in self.graph.nodes:
            id = node.outputs[0]
            if id in products:
                nodes.append(self.product(node, self.layers[products[id]]))
            elif id in self.layers:
                nodes += self.sum(self.layers[id])
            else:
                nodes.append(node)
        return self.finish(nodes)

    def product(self, node: Node, layer: Layer) -> Node:
        weight = self.parameter(layer.scaling, self.address(layer, "w"), self.arrays[layer.norm.outputs[0]][0])
        return node.model_copy(update={"inputs": (node.inputs[0], weight)})

    def sum(self, layer: Layer) -> Iterator[Node]:
        """The nodes that add the bias, as the layers of the library do."""
        norm, product = layer.norm, layer.product.outputs[0]
        key = (*layer.norm.inputs[1:], layer.bias)
        bias = self.parameter(key, self.address(layer, "b"), self.arrays[norm.outputs[0]][1])
        result = self.types[norm.outputs[0]]
        if result.rank > 2:
            sizes = (1, result.shape[1].constant, *(1 for _ in result.shape[2:]))
            spread = self.value(TensorType(dtype=result.dtype, shape=tuple(map(Dim.of, sizes))))
            update = {"op": "reshape", "inputs": (bias,), "outputs": (spread,), "attrs": {"shape": sizes}}
            yield norm.model_copy(update=update)
            bias = spread
        yield norm.model_copy(update={"op": "add", "inputs": (product, bias), "attrs": {}})

    def address(self, layer: Layer, kind: str) -> str:
        """The address of the layer's own weight or bias; of a bias that it has not, one beside the weight."""
        sources = self.known.sources
        own = layer.weight if kind == "w" else layer.bias
        if own is not None and len(sources[own]) == 1:
            return self.known.names[min(sources[own])]
        weight = sorted(self.known.names[id] for id in sources[layer.weight])
        return f"{weight[0].rpartition('.')[0]}.{kind}" if weight else f"{layer.product.address}.{kind}"

    def parameter(self, key: Hashable, address: str, array: np.ndarray) -> int:
        if key not in self.made:
            self.made[key] = self.value(tensor(dtype_of(array), *array.shape)), address, array
        return self.made[key][0]

    def value(self, type: TensorType) -> int:
        self.types.append(type)
        return len(self.types) - 1

    def finish(self, nodes: Sequence[Node]) -> Folded:
        """Old parameters that nothing reads any more go; new ones get their addresses, with a number where one is taken."""
        new = tuple(Input(kind="weight", name=f"{at}", id=id) for at, (id, _, _) in enumerate(self.made.values()))
        update = {"nodes": tuple(nodes), "types": tuple(self.types), "inputs": (*self.graph.inputs, *new)}
        graph = drop_dead(self.graph.model_copy(update=update))
        read = {id for node in graph.nodes for id in node.inputs} | {item.id for item in graph.outputs}
        first = len(self.graph.inputs)
        kept = [item for item in graph.inputs[:first] if item.kind not in ("weight", "state") or item.id in read]
        taken = {item.name for item in kept} | {item.name for item in graph.outputs}
        parameters = {item.name: self.known.parameters[item.name] for item in kept if item.kind in ("weight", "state")}
        for item, (_, address, array) in zip(graph.inputs[first:], self.made.values(), strict=True):
            name = next(text for text in chain([address], (f"{address}.{number}" for number in count(1))) if text not in taken)
            taken.add(name)
            parameters[name] = array
            kept.append(item.model_copy(update={"name": name}))
        return Folded(graph.model_copy(update={"inputs": tuple(kept)}), parameters)
