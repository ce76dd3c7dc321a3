"""Faults that are planted: for each relation one that it must find, so that a relation which says nothing is noticed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from zlib import crc32

import numpy as np
import pytest

from dslc import interpret, show
from dslc.ir import text as ir_text
from dslc.ir.graph import Graph
from dslc.ops import table
from dslc.ops.value import F
from dslc.passes.rewrite import resume
from dslc.plan import Plan
from dslc.program import Init, Program
from exporters.onnx import fold_batch_norm
from runtime.step import Step
from runtime.train.checkpoint import Checkpoint
from runtime.update import Update
from tests.relations import insert, of_text, of_training, of_values, subject

Plant = Callable[[pytest.MonkeyPatch], None]


def wrapped(owner: Any, name: str, change: Callable[..., Any]) -> Plant:
    """`change(result, *arguments)` stands in place of the result of a function."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        true = getattr(owner, name)
        patch.setattr(owner, name, lambda *args, **options: change(true(*args, **options), *args))

    return plant


def before(owner: Any, name: str, change: Callable[..., None]) -> Plant:
    """`change(*arguments)` happens before a function runs."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        true = getattr(owner, name)

        def changed(*args: Any, **options: Any) -> Any:
            change(*args)
            return true(*args, **options)

        patch.setattr(owner, name, changed)

    return plant


def put(owner: Any, name: str, value: Any) -> Plant:
    return lambda patch: patch.setattr(owner, name, value)


def row(name: str, change: Callable[..., Any]) -> Plant:
    """`change(result, *inputs)` in place of what an operator computes."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        true = table.lookup(name)
        assert true.eval is not None
        patch.setitem(table.TABLE, name, replace(true, eval=lambda xp, *x, **attrs: change(true.eval(xp, *x, **attrs), *x)))  # type: ignore[misc]

    return plant


def depends_on_text(found: tuple[Program | None, list[Any]], source: Any, *_: Any) -> tuple[Program | None, list[Any]]:
    """A compiler whose first weight begins with a number made of the text."""
    program, diagnostics = found
    if program is None:
        return found
    number = Init(name="constant", args={"value": float(crc32(source.text.encode()) % 1000)})
    networks = {name: item.model_copy(update={"weights": marked(item.weights, number)}) for name, item in program.networks.items()}
    trainings = {name: item.model_copy(update={"weights": marked(item.weights, number)}) for name, item in program.trainings.items()}
    return program.model_copy(update={"networks": networks, "trainings": trainings}), diagnostics


def marked(weights: tuple[Any, ...], number: Init) -> tuple[Any, ...]:
    return tuple(item.model_copy(update={"init": number}) for item in weights)


def bent(graph: Graph, *_: Any) -> Graph:
    """A gradient that is not linear in the loss."""
    builder = resume(graph)
    ids = {output.name: output.id for output in graph.outputs}
    new = {name: F.sin(builder.value(id)).id for name, id in ids.items() if name.startswith("grad:")}
    built = builder.build()
    outputs = tuple(output.model_copy(update={"id": new.get(output.name, output.id)}) for output in graph.outputs)
    return built.model_copy(update={"outputs": outputs, "updates": graph.updates})


def wrong_pass(graph: Graph) -> Graph:
    """Takes every `multiply` for an `add`."""
    nodes = tuple(node.model_copy(update={"op": "add"}) if node.op == "multiply" else node for node in graph.nodes)
    return graph.model_copy(update={"nodes": nodes})


def by_place(y: np.ndarray, *_: Any) -> np.ndarray:
    """What a sample gives depends on its place in the batch."""
    return y * (1 + 1e-6 * np.arange(len(y)).reshape(-1, *[1] * (y.ndim - 1))).astype(y.dtype) if y.ndim else y


def decays_all(step: Step, **_: Any) -> None:
    for array in step.memory.arrays.values():
        if array.dtype.kind == "f":
            array *= 1 - 1e-6


def moves(update: Update, rate: float, *_: Any) -> None:
    update.arrays["w"][...] *= 1 + 1e-12


def halved(checkpoint: Checkpoint, *_: Any) -> Checkpoint:
    """Parameters that go through a shorter float."""
    short: Mapping[str, np.ndarray] = {
        name: array.astype(np.float32).astype(array.dtype) if array.dtype.kind == "f" else array
        for name, array in checkpoint.parameters.items()
    }
    return Checkpoint(dict(short), checkpoint.slots, checkpoint.meta)


def ordered(report: Any, network: Any, parameters: Mapping[str, Any], path: Any, *_: Any) -> Any:
    """A file that holds in which order the parameters were given."""
    path.write_bytes(path.read_bytes() + " ".join(parameters).encode())
    return report


def unequal_parts(patch: pytest.MonkeyPatch) -> None:
    """Every part counts by half, whatever its samples."""
    true = Update.accumulate_into
    patch.setattr(Update, "accumulate_into", lambda self, source, *, first, scale: true(self, source, first=first, scale=0.5))


by_text = wrapped(subject, "check_source", depends_on_text)
slightly = row("conv", lambda y, *_: y * y.dtype.type(1.0001))
FAULTS: dict[str, Plant] = {
    "1 formatted": wrapped(of_text, "format_source", lambda text, *_: text.replace("1", "2", 2)),
    "1 graph text": wrapped(ir_text, "place_text", lambda text, *_: text.replace("1", "2")),
    "2 other names": by_text,
    "2 shadowed operators": by_text,
    "2 other layout": by_text,
    "2 other order": by_text,
    "3 imported blocks": by_text,
    "3 inlined blocks": by_text,
    "4 any passes": put(of_values, "PASSES", (wrong_pass,)),
    "5 identity inserted": put(insert, "IDENTITIES", {"nearly": "block {name}(x: [*s]) {{\n  return x * 1.0000000001\n}}"}),
    "6 dead code": by_text,
    "6 output added": by_text,
    "7 convolutions": slightly,
    "8 channels permuted": row("channel_affine", lambda y, x, scale, shift: y + scale[0]),
    "9 samples alone": row("tanh", by_place),
    "10 softmax shifted": row("softmax", lambda y, x, *_: np.exp(x) / np.exp(x).sum(-1, keepdims=True)),
    "11 batch norm folded": wrapped(fold_batch_norm, "scaled", lambda pair, *_: (pair[0], pair[1] * (1 + 1e-9))),
    "12 loss scaled": wrapped(of_values, "differentiate", bent),
    "13 losses added": wrapped(of_values, "differentiate", bent),
    "14 no rate": before(Update, "run", moves),
    "15 frozen weights": before(Step, "train", decays_all),
    "16 parts accumulated": unequal_parts,
    "17 saved and loaded": wrapped(of_training, "decode", halved),
    "19 exported twice": wrapped(of_training, "export_network", ordered),
    "20 counts": put(show, "MACS", {**show.MACS, "matmul": lambda y, x: y.elements}),
    "21 shapes": wrapped(interpret, "evaluate", lambda results, *_: tuple(np.atleast_1d(result) for result in results)),
    "22 one step": put(Plan, "fits", lambda plan, dims: True),
}  # fmt: skip
