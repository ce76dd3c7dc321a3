"""Static checks of an exported model: our lint, `onnx.checker`, strict shape inference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import onnx

from dslc.diagnostics import InternalError
from dslc.ir.graph import Graph, Node
from dslc.ir.types import TensorType
from dslc.pieces import mapped_file, release, same_bytes
from exporters.onnx.drafts import Beside
from exporters.onnx.errors import CheckFailed
from exporters.onnx.external import DataFile
from exporters.onnx.external_read import verify_checksums
from exporters.onnx.half import Half
from exporters.onnx.lint import lint
from exporters.onnx.report import Check

REFUSALS = (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, RuntimeError, ValueError, TypeError)
# onnx propagates the values of whole numbers as vectors: behind Unsqueeze and Concat three vectors of 2 are one of 6, and 2 is not added.
LOSES_RANK = "Invalid rank for"


@dataclass(frozen=True)
class Subject:
    """What is verified: the model, and what it came from.

    definition: the graph as it was elaborated; graph: optimised, as it was lowered; names: the tensor of every value of `graph`;
    types: of all tensors; parameters: by address. outside: tensors that hold sizes of the inputs.
    data_file: weights that stand beside the model; beside: where both lie while they are checked.
    stored: the parameters of `graph`, where something was folded into them; folded, not_folded: sentences about that.
    half: what is float16.
    """

    model: onnx.ModelProto
    definition: Graph
    graph: Graph
    names: Mapping[int, str]
    types: Mapping[str, TensorType]
    parameters: Mapping[str, np.ndarray]
    outside: frozenset[str] = frozenset()
    stored: Mapping[str, np.ndarray] = field(default_factory=dict)
    folded: tuple[str, ...] = ()
    not_folded: tuple[str, ...] = ()
    half: Half | None = None
    data_file: DataFile | None = None
    beside: Beside | None = None

    def forget(self, node: Node, results: Sequence[object]) -> None:
        """Give the pages of mapped weights that a node of `definition` has read back to the system."""
        for id in node.inputs:
            if id in self.mapped:
                release(self.mapped[id])

    @cached_property
    def mapped(self) -> dict[int, np.ndarray]:
        """The parameters that are views of a file, by id in `definition`."""
        arrays = {item.id: self.parameters[item.name] for item in self.definition.inputs if item.name in self.parameters}
        return {id: array for id, array in arrays.items() if mapped_file(array) is not None}

    @cached_property
    def data(self) -> bytes:
        """The bytes of the file."""
        return bytes(self.model.SerializeToString(deterministic=True))


def own_lint(subject: Subject) -> str:
    beside = subject.beside.arrays if subject.beside else {}
    return "; ".join(lint(subject.model, subject.types, beside, subject.half.tensors if subject.half else ())[:3])


def full_check(subject: Subject) -> str:
    """Of the bytes, or of the file, where weights stand beside it."""
    model = str(subject.beside.file(subject.data)) if subject.beside else subject.data
    return refusal(lambda: onnx.checker.check_model(model, full_check=True))


def inference(subject: Subject) -> str:
    """Shapes as onnx infers them, also those that are computed; without these where onnx's propagation of values loses a rank itself."""

    def infer(values: bool) -> str:
        return refusal(lambda: onnx.shape_inference.infer_shapes(subject.data, check_type=True, strict_mode=True, data_prop=values))

    found = infer(values=True)
    return infer(values=False) if LOSES_RANK in found else found


def data_file(subject: Subject) -> str:
    """What is read back from the data file is what was meant, bit by bit, and the file has its checksum."""
    if subject.data_file is None or subject.beside is None:
        return ""
    for name, array in subject.data_file.arrays.items():
        if not same_bytes(array, subject.beside.arrays[name]):
            return f"{name} is read back with other numbers than the network has"
    return refusal(lambda: verify_checksums(subject.model, subject.beside.folder) if subject.beside else None)


def refusal(check: Callable[[], object]) -> str:
    """The first line of what a checker says, "" if it is content."""
    try:
        check()
    except REFUSALS as error:
        return str(error).strip().partition("\n")[0] or type(error).__name__
    return ""


# The lint stands first: what it lets pass, the others can read (a function that calls itself has no end for some of them).
STATIC: tuple[tuple[str, Callable[[Subject], str]], ...] = (
    ("lint", own_lint),
    (f"onnx.checker {onnx.__version__} (full)", full_check),
    ("strict shape inference", inference),
)


def static_checks(subject: Subject) -> list[Check]:
    """Run all static checks; raises InternalError at the first that fails."""
    table = [*STATIC, ("data file", data_file)] if subject.beside else STATIC
    for name, check in table:
        detail = check(subject)
        if detail:
            raise InternalError(CheckFailed(check=name, detail=detail))
    return [Check(name=name, verdict="passed") for name, _ in table]
