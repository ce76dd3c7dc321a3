"""Half precision: which nodes of a model compute in float16, and the casts between them and the others.

Works on what the lowerings have written, before the model is made. Weights and most operators are float16; what float16 has too few
digits or too small a range for stays in float32: normalisations and their statistics, softmax, sums over many elements, exponentials,
quotients. Inputs and outputs of the model stay float32, integers and truth values as they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import onnx

from dslc.diagnostics import DataError, SpecError
from dslc.ir.graph import Graph, Node
from dslc.ir.types import DType
from dslc.pieces import gathered, pieces
from dslc.usage import BadArgument
from exporters.onnx.body import address_of
from exporters.onnx.errors import BeyondHalf
from exporters.onnx.functions import enclosing
from exporters.onnx.lower import output_names
from exporters.onnx.lowerings.base import like
from exporters.onnx.model import ELEMENT, Writer

UNIT = 2.0**-11  # the largest relative rounding error of float16
LARGEST = 65504.0
SMALLEST = 2.0**-14  # below, float16 has fewer digits; below 2⁻²⁵ none

# Operators of the graph whose ONNX nodes compute in float16. All others, and what is not listed here yet, compute in float32.
MOVES = """reshape flatten transpose broadcast slice concat stack split gather flip roll tile repeat squeeze unsqueeze tril triu
    take_along_axis pad where masked_fill stop_gradient unfold"""
EXACT = "negative abs relu minimum maximum clip relu6 hardtanh hardshrink max min max_pool sign heaviside floor ceil round trunc"
ROUNDED = """add subtract multiply matmul einsum conv conv_transpose sigmoid tanh elu selu silu leaky_relu prelu hardsigmoid hardswish
    softshrink erf resize equal not_equal less less_equal greater greater_equal"""
HALF = frozenset(f"{MOVES} {EXACT} {ROUNDED}".split())
# Nodes that stand for several operators of the graph, the last of which alone says too little.
SINGLE = frozenset(["BatchNormalization", "InstanceNormalization", "GroupNormalization", "LayerNormalization", "RMSNormalization", "LRN"])
# Nodes that round nothing.
FREES = """Reshape Flatten Transpose Expand Slice Concat Split Gather GatherElements Tile Squeeze Unsqueeze Trilu Pad Where Identity Neg
    Abs Relu Min Max Clip ReduceMax ReduceMin MaxPool Sign Floor Ceil Round Greater GreaterOrEqual Less LessOrEqual Equal Not"""
FREE = frozenset(FREES.split())


def is_half(dtype: str) -> bool:
    """Whether an export in this precision is in half precision. SpecError for one that is not written."""
    if dtype not in ("f32", "f16"):
        detail = f"--dtype: f32 (as it was trained) or f16 can be written, not {str(dtype)[:40]}"
        raise SpecError(BadArgument(detail=detail, usage="--dtype f16"))
    return dtype == "f16"


def refuse_half_step(dtype: str) -> None:
    """SpecError where a training step is wanted in half precision."""
    if is_half(dtype):
        detail = "--dtype f16: a training step is written in the precision of its training: float16 has no digits left for its updates"
        raise SpecError(BadArgument(detail=detail, usage="--train-step without --dtype"))


@dataclass
class Half:
    """What is float16 in a model.

    tensors: by name; parameters: those among them that are stored so; held: values of the graph that are float16 on their way;
    rounds: how often each is rounded to it on its way out of its node; single: operators that compute in float32; casts: how many were
    put in; lost: sentences about weights whose smallest values are 0 now; limits: what `rounding.bounds` found at each size.
    """

    tensors: set[str] = field(default_factory=set)
    parameters: set[str] = field(default_factory=set)
    held: set[int] = field(default_factory=set)
    rounds: Counter[int] = field(default_factory=Counter)
    single: Counter[str] = field(default_factory=Counter)
    casts: int = 0
    lost: list[str] = field(default_factory=list)
    limits: dict[Hashable, dict[int, Bound]] = field(default_factory=dict)


@dataclass(frozen=True)
class Bound:
    """Of one value of the graph: its largest number, and how far roundings to float16 may move it."""

    largest: float
    limit: float


def narrow(w: Writer, graph: Graph, blocks: Collection[str]) -> Half:
    """Turn what can be float16 into it, in place. `blocks`: addresses of what becomes functions, which cast for themselves.

    Raises DataError for a weight that float16 cannot hold, SpecError for a network in double precision.
    """
    double = next((item.name for item in graph.inputs if graph.types[item.id].dtype is DType.f64), None)
    if double is not None:
        detail = f"--dtype f16: `{double}` is in double precision; half precision is made of what is trained in single precision"
        raise SpecError(BadArgument(detail=detail, usage="dslc train SPEC --precision f32"))
    return Narrowing(w, graph, blocks).run()


class Narrowing:
    """One walk over the nodes of a writer."""

    def __init__(self, w: Writer, graph: Graph, blocks: Collection[str]) -> None:
        self.w, self.blocks = w, blocks
        self.found = Half()
        self.states = {item.name for item in graph.inputs if item.kind == "state"}
        self.ids = {name: id for id, name in reversed(w.names.items())}
        self.published = set(output_names(graph).values())
        self.fixed = set(w.initializers)  # tensors that no input of the model changes
        self.cast: dict[tuple[str, bool, str], str] = {}
        self.nodes: list[onnx.NodeProto] = []

    def run(self) -> Half:
        w, makers = self.w, self.w.makers
        nodes = w.nodes
        half = [self.is_half(node, maker) for node, maker in zip(nodes, makers, strict=True)]
        self.store(nodes, half)
        w.nodes, w.makers = self.nodes, []
        for node, maker, narrowed in zip(nodes, makers, half, strict=True):
            self.rewrite(node, maker, narrowed)
        return self.found

    # ---- which nodes ----------------------------------------------------------------------------------------------------------------

    def is_float(self, name: str) -> bool:
        return bool(name) and self.w.known[name].dtype is DType.f32

    def floats(self, names: Sequence[str]) -> tuple[bool, ...]:
        return tuple(map(self.is_float, names))

    def is_half(self, node: onnx.NodeProto, maker: Node) -> bool:
        """Whether the node computes in float16. What only rearranges parameters does, what computes with them alone does not."""
        reads = [name for name in node.input if self.is_float(name)]
        fixed = all(name in self.fixed for name in node.input if name)
        if fixed:
            self.fixed.update(node.output)
        if not reads and not any(map(self.is_float, node.output)):
            return False
        wanted = maker.op in HALF and node.op_type not in SINGLE and node.op_type != "Cast" and bool(reads)
        wanted = wanted and not (fixed and node.op_type not in FREE) and not self.states.intersection(node.input)
        wanted = wanted and all(self.holds(name) for name in reads)
        wanted = wanted and not (node.op_type == "Mul" and len(set(node.input)) == 1)  # a square leaves the range soon
        wanted = wanted and takes_half(node.op_type, self.w.opset, self.floats(node.input), self.floats(node.output))
        if not wanted:
            self.found.single[node.op_type] += node.op_type not in ("Cast", "Identity", "Shape")
        return wanted

    def holds(self, name: str) -> bool:
        """Whether float16 keeps the digits of a constant."""
        if not name.startswith("constant/"):
            return True
        sizes = np.abs(self.w.initializers[name])
        return bool(np.all((sizes == 0) | ((sizes >= SMALLEST) & (sizes <= LARGEST))))

    # ---- what is stored ---------------------------------------------------------------------------------------------------------------

    def store(self, nodes: Sequence[onnx.NodeProto], half: Sequence[bool]) -> None:
        """Weights that a float16 node reads, and all matrices and kernels, are stored in float16."""
        read = {
            node.input[at]
            for node, narrowed in zip(nodes, half, strict=True) if narrowed
            for at in range(len(node.input)) if at in places(node.op_type, self.w.opset, len(node.input))
        }  # fmt: skip
        for name, array in self.w.initializers.items():
            if not self.is_float(name) or name in self.states or name.startswith("constant/"):
                continue
            if name in read or array.ndim >= 2:
                self.w.initializers[name] = self.rounded(name, array)
                self.found.tensors.add(name)
                self.found.parameters.add(name)

    def rounded(self, name: str, array: np.ndarray) -> np.ndarray:
        largest = max((float(np.abs(piece).max()) for piece in pieces(array)), default=0.0)
        if largest > LARGEST:
            raise DataError(BeyondHalf(name=name, value=largest))
        lost = 0

        def halves() -> Iterator[np.ndarray]:
            nonlocal lost
            for piece in pieces(array):
                half = piece.astype(np.float16)
                lost += int(((half == 0) & (piece != 0)).sum())
                yield half

        found = gathered(halves(), "float16", array.shape, array)
        if lost:
            self.found.lost.append(f"{name}: {lost:,} of {array.size:,} values are below 2⁻²⁵ and become 0")
        return found

    # ---- the nodes anew -----------------------------------------------------------------------------------------------------------------

    def rewrite(self, node: onnx.NodeProto, maker: Node, half: bool) -> None:
        """Append the node, behind the casts of what it reads; a float16 result that is an output of the model is cast back."""
        w = self.w
        w.current = Node(op=maker.op, inputs=(), outputs=maker.outputs, address=address_of(node), place=place_of(node))
        taken = places(node.op_type, w.opset, len(node.input)) if half else frozenset[int]()
        for at, name in enumerate(node.input):
            if self.is_float(name) and node.op_type != "Shape":
                node.input[at] = self.read(name, at in taken, node)
        id = maker.outputs[0] if maker.outputs else -1
        if half and node.op_type not in FREE:
            self.found.rounds[id] += 1
        if not half:
            self.add(node)
            return
        back: dict[str, str] = {}
        for at, name in enumerate(node.output):
            if not self.is_float(name):
                continue
            self.hold(name)
            if name in self.published:
                back[name] = node.output[at] = w.fresh(node.op_type)
                w.known[node.output[at]] = w.known[name]
            self.found.tensors.add(node.output[at])
        node.name = node.output[0]
        self.add(node)
        for name, inner in back.items():
            self.emit_cast(inner, False, name)

    def read(self, name: str, half: bool, reader: onnx.NodeProto) -> str:
        """The tensor in the precision that is read; constants are written once more, the others cast once for each block."""
        if name.startswith("constant/"):
            return self.constant(name) if half else name
        if (name in self.found.tensors) == half:
            return name
        key = name, half, enclosing(address_of(reader).rpartition("/")[0], self.blocks)
        if key not in self.cast:
            self.cast[key] = self.emit_cast(name, half)
            if half and name in self.ids:
                self.hold(name)
                self.found.rounds[self.ids[name]] = max(self.found.rounds[self.ids[name]], 1)
        return self.cast[key]

    def hold(self, name: str) -> None:
        if name in self.ids:
            self.found.held.add(self.ids[name])

    def constant(self, name: str) -> str:
        """The constant in float16, under a name of its own."""
        _, _, shape, text = name.split("/", 3)
        array = self.w.initializers[name]
        new = self.w.initializer(f"constant/f16/{shape}/{text}", array.astype(np.float16))
        self.found.tensors.add(new)
        if (array.astype(np.float16) != array).any() and self.w.current.outputs:
            self.found.rounds[self.w.current.outputs[0]] += 1
        return new

    def emit_cast(self, name: str, half: bool, output: str | None = None) -> str:
        w = self.w
        made = w.emit("Cast", [name], like(w.known[name], DType.f32), output, to=onnx.TensorProto.FLOAT16 if half else ELEMENT[DType.f32])
        if half:
            self.found.tensors.add(made)
        self.found.casts += 1
        return made

    def add(self, node: onnx.NodeProto) -> None:
        self.w.nodes.append(node)


def place_of(node: onnx.NodeProto) -> str:
    return next((str(item.value) for item in node.metadata_props if item.key == "dslc.source"), "")


# ---- what ONNX takes ------------------------------------------------------------------------------------------------------------------


@cache
def formals(op: str, opset: int, count: int) -> tuple[tuple[str, ...], tuple[str, ...], Mapping[str, bool]]:
    """The type letters of the first `count` inputs and of the outputs, and whether each letter may be float16."""
    schema = onnx.defs.get_schema(op, opset)
    letters = {item.type_param_str: "tensor(float16)" in item.allowed_type_strs for item in schema.type_constraints}
    inputs = tuple(schema.inputs[min(at, len(schema.inputs) - 1)].type_str for at in range(count))
    return inputs, tuple(item.type_str for item in schema.outputs), letters


def places(op: str, opset: int, count: int) -> frozenset[int]:
    """The inputs that may be float16 where they are floats: not the scales of Resize."""
    inputs, _, letters = formals(op, opset, count)
    return frozenset(at for at, letter in enumerate(inputs) if letters.get(letter, False))


@cache
def takes_half(op: str, opset: int, reads: tuple[bool, ...], makes: tuple[bool, ...]) -> bool:
    """Whether the opset defines the operator for float16. `reads`, `makes`: which inputs and outputs are floats here."""
    inputs, outputs, letters = formals(op, opset, len(reads))
    first = next(letter for letter, is_float in zip(inputs, reads, strict=True) if is_float)
    made = [outputs[min(at, len(outputs) - 1)] for at, is_float in enumerate(makes) if is_float]
    return all(letters.get(letter, False) for letter in (first, *made))
