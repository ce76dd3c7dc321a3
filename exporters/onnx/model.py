"""A thin writer of ONNX protobufs: appends nodes, initializers and value_info with our names, types, places and addresses."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain, count
from pathlib import PurePath
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from dslc.ir.graph import Node
from dslc.ir.types import Dim, DType, TensorType, tensor
from exporters.onnx.external import DataFile, Storage
from exporters.onnx.opset import DEFAULT, ir_version

ELEMENT = {
    DType.f32: TensorProto.FLOAT,
    DType.f64: TensorProto.DOUBLE,
    DType.i32: TensorProto.INT32,
    DType.i64: TensorProto.INT64,
    DType.u8: TensorProto.UINT8,
    DType.u64: TensorProto.UINT64,
    DType.bool: TensorProto.BOOL,
}


def value_info(name: str, type: TensorType, half: bool = False) -> onnx.ValueInfoProto:
    """Name, element type (`half`: float16) and shape; a symbolic dim is written as its text (`batch`, `2*time`)."""
    shape = [size.constant if size.is_constant else str(size) for size in type.shape]
    return helper.make_tensor_value_info(name, TensorProto.FLOAT16 if half else ELEMENT[type.dtype], shape)


class Writer:
    """Collects one ONNX graph.

    `names` maps value ids of our graph to tensor names. Lowerings call `emit`; tensors that they need between get names below the
    node's address (`LeNet/stack0/unsqueeze0`). `opset`, 13 … 28: a lowering writes only what this opset has. `storage` says whether
    weights stand in the model; `data_file` is what stands beside it once it is finished.
    """

    def __init__(self, types: Sequence[TensorType], opset: int = DEFAULT, storage: Storage | None = None) -> None:
        self.types = types
        self.opset = opset
        self.storage = storage or Storage()
        self.data_file: DataFile | None = None
        self.names: dict[int, str] = {}
        self.inputs: list[tuple[str, TensorType]] = []
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, np.ndarray] = {}
        self.known: dict[str, TensorType] = {}  # types of all tensors
        self.sources: dict[str, tuple[str, int]] = {}  # dim name -> (input tensor, axis)
        self.current = Node(op="", inputs=(), outputs=())
        self.makers: list[Node] = []  # for each node that is written, the one of our graph
        self.half: Collection[str] = ()  # tensors that are float16, whatever `known` says
        self.taken: set[str] = set()
        self.hoisted: set[str] = set()  # tensors that hold sizes of the inputs: they belong to no block
        self._sizes: dict[Dim, str] = {}

    # -- names

    def fresh(self, op: str) -> str:
        """A tensor and node name below the current node's address."""
        return self.unique(f"{self.current.address}/{op.lower()}{number}" for number in count())

    def at(self, address: str) -> str:
        """The address as a tensor name, with a number where it is taken (nodes that a pass made may share one)."""
        return self.unique(chain([address], (f"{address}.{number}" for number in count(1))))

    def unique(self, names: Iterable[str]) -> str:
        name = next(name for name in names if name not in self.taken)
        self.taken.add(name)
        return name

    def type(self, name: str) -> TensorType:
        return self.known[name]

    # -- pieces

    def input(self, name: str, type: TensorType) -> None:
        """An input of the model; dims that stand alone on an axis of it can be read from its shape."""
        self.inputs.append((name, type))
        self.known[name] = type
        for axis, size in enumerate(type.shape):
            if str(size) in size.names:
                self.sources.setdefault(str(size), (name, axis))

    def emit(self, op: str, inputs: Sequence[str], result: TensorType, output: str | None = None, **attributes: Any) -> str:
        """Append a node with one result; `output` is given for the tensor that the current node defines. Returns the tensor's name."""
        return self.emit_many(op, inputs, [result], [output or self.fresh(op)], **attributes)[0]

    def emit_many(
        self, op: str, inputs: Sequence[str], results: Sequence[TensorType], outputs: Sequence[str], **attributes: Any
    ) -> list[str]:
        """Append a node with several results under the given names."""
        attributes = {key: value for key, value in attributes.items() if value is not None}
        node = helper.make_node(op, list(inputs), list(outputs), name=outputs[0], **attributes)
        self.stamp(node)
        self.nodes.append(node)
        self.makers.append(self.current)
        self.known.update(zip(outputs, results, strict=True))
        return list(outputs)

    def stamp(self, node: onnx.NodeProto) -> None:
        node.metadata_props.add(key="dslc.address", value=self.current.address)
        if self.current.place:
            node.metadata_props.add(key="dslc.source", value=shown_place(self.current.place))

    def drop_unread(self, published: Iterable[str]) -> None:
        """Take away the nodes whose results nobody reads: an operator has several results, and a graph may need one of them."""
        read, kept = set(published), []
        for at in reversed(range(len(self.nodes))):
            if not read.isdisjoint(self.nodes[at].output):
                read.update(self.nodes[at].input)
                kept.append(at)
        kept.reverse()
        self.nodes = [self.nodes[at] for at in kept]
        self.makers = [self.makers[at] for at in kept]

    def initializer(self, name: str, array: np.ndarray) -> str:
        """A named tensor of data. It is not copied before the model is written."""
        if name not in self.initializers:
            self.initializers[name] = array
            self.known[name] = tensor(DType.f32 if array.dtype == np.float16 else dtype_of(array), *array.shape)
        return name

    def constant(self, values: Any, dtype: DType) -> str:
        """A small constant; equal ones are shared. Named by its content, so names do not depend on order."""
        array = np.asarray(values, dtype.numpy)
        text = "_".join(str(v) for v in array.ravel().tolist()) if array.size <= 8 else f"hash{_digest(array)}"
        shape = "x".join(map(str, array.shape)) or "scalar"
        return self.initializer(f"constant/{dtype}/{shape}/{text}", array)

    def ints(self, values: Sequence[int]) -> str:
        """A vector of i64."""
        return self.constant(list(values), DType.i64)

    # -- sizes

    def size(self, dim: Dim) -> str:
        """An i64[1] tensor holding a symbolic size, computed from the inputs' shapes."""
        if dim.is_constant:
            return self.ints([dim.constant])
        if dim not in self._sizes:
            first = len(self.nodes)
            self._sizes[dim] = self._compute(dim)
            self.hoisted.update(name for node in self.nodes[first:] for name in node.output)
        return self._sizes[dim]

    def _compute(self, dim: Dim) -> str:
        vector = tensor("i64", 1)
        total = ""
        for monomial, coefficient in dim.terms:
            product = self.ints([coefficient]) if coefficient != 1 or not monomial else ""
            for atom, power in monomial:
                factor = self._axis(atom) if isinstance(atom, str) else self._quotient(atom.numerator, atom.divisor)
                for _ in range(power):
                    product = self.emit("Mul", [product, factor], vector) if product else factor
            total = self.emit("Add", [total, product], vector) if total else product
        return total

    def _axis(self, name: str) -> str:
        source, axis = self.sources[name]
        key = Dim.of(name)
        if key not in self._sizes:
            self._sizes[key] = self._axis_size(source, axis)
        return self._sizes[key]

    def _axis_size(self, source: str, axis: int) -> str:
        if self.opset >= 15:
            return self.emit("Shape", [source], tensor("i64", 1), start=axis, end=axis + 1)
        whole = self.emit("Shape", [source], tensor("i64", self.known[source].rank))
        return self.emit("Gather", [whole, self.ints([axis])], tensor("i64", 1), axis=0)

    def _quotient(self, numerator: Dim, divisor: int) -> str:
        # Sizes are not negative, so ONNX's truncating division is floor division.
        return self.emit("Div", [self.size(numerator), self.ints([divisor])], tensor("i64", 1))

    def shape(self, shape: Sequence[int | Dim]) -> str:
        """An i64 vector holding a shape: an initializer where it is fixed, else computed."""
        dims = [Dim.of(size) for size in shape]
        if all(size.is_constant for size in dims):
            return self.ints([size.constant for size in dims])
        return self.emit("Concat", [self.size(size) for size in dims], tensor("i64", len(dims)), axis=0)

    # -- the whole

    def model(self, name: str, outputs: Sequence[tuple[str, TensorType]], metadata: Mapping[str, str], version: str) -> onnx.ModelProto:
        """The finished model. Initializers that no node reads are left out. Weights are copied once, into the protobuf, or not at all."""
        used = {name for node in self.nodes for name in node.input}
        weights = {name: array for name, array in self.initializers.items() if name in used}
        self.data_file = self.storage.plan(name, weights)
        model = onnx.ModelProto(ir_version=ir_version(self.opset), producer_name="dslc", producer_version=version)
        model.opset_import.add(domain="", version=self.opset)
        model.graph.name = name
        model.graph.node.extend(self.nodes)
        for key, array in weights.items():
            fill(model.graph.initializer.add(), key, array, self.data_file)
        model.graph.input.extend(value_info(key, type) for key, type in self.inputs)
        model.graph.output.extend(value_info(key, type) for key, type in outputs)
        declared = {key for key, _ in (*self.inputs, *outputs)}
        inner = [key for node in self.nodes for key in node.output if key not in declared]
        model.graph.value_info.extend(value_info(key, self.known[key], key in self.half) for key in inner)
        for key, value in sorted(metadata.items()):
            model.metadata_props.add(key=key, value=value)
        return model


def dtype_of(array: np.ndarray) -> DType:
    return next(dtype for dtype in DType if dtype.numpy == array.dtype.name)


def fill(proto: TensorProto, name: str, array: np.ndarray, file: DataFile | None) -> None:
    """Name, type and sizes of one initializer, and its little-endian bytes or where they stand in the data file."""
    proto.name = name
    proto.data_type = TensorProto.FLOAT16 if array.dtype == np.float16 else ELEMENT[dtype_of(array)]
    proto.dims.extend(array.shape)
    if file is not None and name in file.arrays:
        file.refer(proto, name)
        return
    proto.raw_data = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def shown_place(place: str) -> str:
    """A source place without folders of a machine: of a path that is absolute or climbs only the file's name stays."""
    path, *position = place.rsplit(":", 2)
    parts = PurePath(path.replace("\\", "/")).parts
    leaks = path.startswith(("/", "\\", "~")) or ".." in parts or ":" in path
    return ":".join([parts[-1] if leaks else "/".join(parts), *position])


def _digest(array: np.ndarray) -> str:
    from hashlib import sha256

    return sha256(array.tobytes()).hexdigest()[:16]
