"""What must hold of a spec: it is refused with diagnostics, or it runs and every way to run it computes what the interpreter computes (`runs`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

import dslc
from dslc.diagnostics import DataError, DivergedError, SpecError
from dslc.ir.types import DType
from dslc.loading import check_source
from dslc.program import Program
from dslc.source import Source
from dslc.syntax.format import format_source
from exporters.onnx.export import export_network
from exporters.onnx.lower import why_not
from tests.reliability.campaign import Tally
from tests.soundness.runs import Examined, UnfitData
from tests.soundness.specs import Spec


def examine(
    spec: Spec, folder: Path, *, precision: DType = DType.f64, export: Mapping[str, Any] | None = None, train: bool = False
) -> bool:
    """Whether the spec was accepted. Raises where something does not hold; `export` (options of an export) and `train` say what else is tried."""
    program = accepted(spec, folder, precision)
    if program is None:
        return False
    same_program(spec.text, folder, program)
    compared(program, spec, Tally())
    if export is not None:
        exported(program, export)
    if train and program.trainings:
        trained(spec.text, folder)
    return True


def accepted(spec: Spec, folder: Path, precision: DType) -> Program | None:
    """The checked program; None where the spec is refused, with an error that says why."""
    np.savez(folder / "data.npz", **spec.arrays)
    program, found = check_source(source(spec.text), folder=folder, precision=precision)
    assert program is not None or any(item.severity == "error" for item in found)
    return program


def compared(program: Program, spec: Spec, tally: Tally, seed: int = 0, device: str = "numpy") -> str:
    """Run the training of a program in all ways. What came out: "passed" where the loss and gradients were compared and say something."""
    if not program.trainings:
        return "mistrusted"
    try:
        return "passed" if Examined(program, spec, tally, seed, device).run() else "mistrusted"
    except UnfitData:
        return "data refused"


def source(text: str) -> Source:
    return Source("spec.nn", text)


def same_program(text: str, folder: Path, program: Program) -> None:
    """The formatted text is a fixed point and means the same."""
    formatted = format_source(source(text))
    assert format_source(source(formatted)) == formatted
    again, _ = check_source(source(formatted), folder=folder, precision=program.precision)
    assert again is not None
    assert unplaced(again) == unplaced(program), "the formatted text is another program"


BLOCK = re.compile(r"^block (\w+)\(.*?^}\n", re.MULTILINE | re.DOTALL)


def same_import(text: str, folder: Path, program: Program) -> bool:
    """Blocks that stand in another file mean the same. Whether there are any."""
    blocks, rest = "\n".join(match.group() for match in BLOCK.finditer(text)), BLOCK.sub("", text)
    used = [name for name in BLOCK.findall(text) if re.search(rf"\b{name}\b", rest)]
    if not used:
        return False
    (folder / "blocks.nn").write_text(f"dslc 1\n\n{blocks}")
    parted = rest.replace("dslc 1\n", f'dslc 1\n\nimport {", ".join(used)} from "blocks.nn"\n', 1)
    again, found = check_source(source(parted), folder=folder, precision=program.precision)
    assert again is not None, [item.message for item in found]
    assert unplaced(again) == unplaced(program), "with its blocks in another file it is another program"
    return True


def unplaced(program: Program) -> str:
    return re.sub(r'"place":"[^"]*"', "", program.model_dump_json())


def exported(program: Program, options: Mapping[str, Any]) -> None:
    """Networks of exportable operators pass all checks of the export."""
    for network in program.networks.values():
        if any(why_not(node.op) for node in network.evaluate.nodes):
            continue
        numbers = np.random.default_rng(0)
        parameters = {
            item.address: numbers.uniform(0.1, 0.9, item.type.sizes({})).astype(item.type.dtype.numpy)
            for item in (*network.weights, *network.states)
        }
        try:
            export_network(network, parameters, None, **options)
        except SpecError as error:
            assert any(words in str(error) for words in ("a stride above its kernel", "with `ceil`", "a dilation"))


def trained(text: str, folder: Path) -> None:
    """Two steps of the training loop, from the file."""
    path = folder / "spec.nn"
    path.write_text(text)
    with suppress(DivergedError, DataError):  # numbers, not types
        dslc.load(path).train(max_steps=2, out=folder / "run", threads=1, quiet=True)
