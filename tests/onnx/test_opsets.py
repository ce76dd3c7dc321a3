"""Every row and every small spec in each opset where an operator changes: written natively, checked, run by both peers."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from dslc.diagnostics import SpecError
from dslc.interpret import interpret
from dslc.ir.types import DType, tensor
from dslc.ops.table import lookup
from dslc.ops.value import Builder
from exporters.onnx.backends import BACKENDS, LeftOut
from exporters.onnx.check import Subject, static_checks
from exporters.onnx.export import export_network, make_subject
from exporters.onnx.opset import OPSETS, ir_version
from tests.onnx.networks import network, parameters
from tests.onnx.test_rows import EXPORTED, Arrays, arrays, assert_same, one_node
from tests.onnx.test_specs import only_network

CUTS = (13, 14, 15, 17, 18, 20, 21, 22, 23, 24, 28)
SPECS = ("gates", "softmax", "lenet", "resnet20")
CASES = 4  # samples of a row that are run in every opset; all of them are run in the default one (test_rows.py)
LIGHT = ("elementwise", "reduce", "movement", "linalg", "constant")  # of these rows every third of the others too, the rest in two opsets


def forms(model: onnx.ModelProto) -> tuple[object, ...]:
    """What a peer sees of a model: its nodes, and which version of each operator they mean."""
    (opset,) = (item.version for item in model.opset_import)
    versions = {node.op_type: onnx.defs.get_schema(node.op_type, opset).since_version for node in model.graph.node}
    return (model.graph.SerializeToString(deterministic=True), *sorted(versions.items()))


def agree(subject: Subject, inputs: Arrays) -> None:
    wanted = interpret(subject.definition, np, {"key": np.zeros(3, np.int64), **inputs})
    for make in BACKENDS.values():
        try:
            found = make(subject.data)(inputs)
        except LeftOut:
            continue
        for at, array in enumerate(found):
            assert_same(wanted[f"y{at}"], array)


@pytest.mark.parametrize("name", EXPORTED)
def test_a_row_in_every_opset(name: str) -> None:
    """A model that means the same versions of the same operators as one of an opset before is not run again."""
    pytest.importorskip("onnxruntime", reason='the comparison with onnxruntime needs: pip install "dslc[ort]"')
    sample = lookup(name).sample
    assert sample is not None
    cases = sample(np.random.default_rng(3))
    for at, case in enumerate(cases if lookup(name).kind in LIGHT else cases[:CASES]):
        graph, inputs, seen = one_node(name, case, DType.f32), arrays(case, DType.f32), set()
        for opset in CUTS if at < CASES or at % 3 == 0 else (CUTS[0], CUTS[-1]):
            subject = make_subject(network(graph), {}, opset=opset)[0]
            form = forms(subject.model)
            if form not in seen:
                seen.add(form)
                static_checks(subject)
                agree(subject, inputs)


@pytest.mark.parametrize("opset", CUTS)
@pytest.mark.parametrize("name", SPECS)
def test_a_spec_in_every_opset(name: str, opset: int) -> None:
    net = only_network(name)
    report = export_network(net, parameters(net), None, opset=opset, verify=name != "resnet20" or opset in (13, 28))
    assert (report.opset, report.ir_version) == (opset, ir_version(opset))


def test_bytes_are_widened_where_the_opset_does_not_add_them() -> None:
    b = Builder("Net")
    x, y = (b.input("input", name, tensor("u8", "batch", 3)) for name in ("x", "y"))
    b.output("y0", x + y)
    net = network(b.build())
    inputs = {"x": np.array([[1, 200, 255]], np.uint8), "y": np.array([[2, 100, 255]], np.uint8)}
    for opset, operators in ((13, ["Cast", "Cast", "Add", "Cast"]), (14, ["Add"])):
        subject = make_subject(net, {}, opset=opset)[0]
        static_checks(subject)
        assert [node.op_type for node in subject.model.graph.node] == operators
        agree(subject, inputs)


@pytest.mark.parametrize("opset", [12, 29, True, "21"])
def test_other_opsets_are_refused(opset: object) -> None:
    net = only_network("softmax")
    with pytest.raises(SpecError, match=r"13 … 28 can be written"):
        export_network(net, parameters(net), None, opset=opset)  # type: ignore[arg-type]


def test_versions_are_stamped() -> None:
    net = only_network("softmax")
    stamped = [make_subject(net, parameters(net), opset=opset)[0].model.ir_version for opset in OPSETS]
    assert stamped == [10] * 10 + [11, 12, 13, 13, 13, 14]
