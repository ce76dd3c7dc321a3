"""What an export did and how it was checked, as a pydantic model with a text and a JSON form."""

from __future__ import annotations

from typing import Literal

from dslc.ir.types import Frozen


class Tensor(Frozen):
    name: str
    type: str


class Check(Frozen):
    """A check that passed, or was left out and why. One that fails ends the export, so it stands in no report."""

    name: str
    verdict: Literal["passed", "left out"]
    detail: str = ""


class Parity(Frozen):
    """The largest difference between the reference interpreter and a runtime over all outputs at these sizes."""

    backend: str
    sizes: dict[str, int]
    max_absolute: float
    max_relative: float


class Function(Frozen):
    """A function of the model: one body for all expansions of a block of the file that compute the same way."""

    name: str
    calls: int
    nodes: int


class External(Frozen):
    """The file beside the model that holds its weights. bytes: of these tensors; sha256: of the file; written: it was not there before."""

    file: str
    bytes: int
    tensors: int
    sha256: str
    written: bool


class HalfPrecision(Frozen):
    """What is float16.

    tensors, bytes: the weights and states in it, and how many bytes all parameters have, which are `bytes_f32` in float32; casts: between
    the two; single: operators that compute in float32, with their number; lost: weights whose smallest values are 0 now.
    """

    tensors: int
    bytes: int
    bytes_f32: int
    casts: int
    single: dict[str, int]
    lost: tuple[str, ...]


class Report(Frozen):
    """Version 1 of the JSON form of `dslc export --report`."""

    version: int = 1
    file: str
    network: str
    opset: int
    ir_version: int
    bytes: int
    sha256: str
    external: External | None = None
    nodes: int
    operators: dict[str, int]
    parameters: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    merged: tuple[str, ...]
    folded: tuple[str, ...] = ()
    not_folded: tuple[str, ...] = ()
    half: HalfPrecision | None = None
    metadata: dict[str, str]
    functions: tuple[Function, ...] = ()
    inline: tuple[str, ...] = ()
    runs_in: tuple[str, ...]
    checks: tuple[Check, ...]
    parity: tuple[Parity, ...]

    def weights(self) -> list[str]:
        """Where the weights stand, if not in the model."""
        if self.external is None:
            return []
        shared = "" if self.external.written else ", which was there before"
        return [f"{self.external.bytes:,} bytes in {self.external.tensors} tensors stand in {self.external.file}{shared}"]

    def halves(self) -> list[str]:
        """What is float16, and what is not."""
        if self.half is None:
            return []
        single = ", ".join(f"{count} {name}" for name, count in self.half.single.items())
        return [
            f"{self.half.tensors} weights, {self.half.bytes:,} bytes with what stays float32, instead of {self.half.bytes_f32:,}",
            f"{self.half.casts} casts; in float32 stay {single or 'inputs and outputs only'}",
            *self.half.lost,
        ]

    def text(self) -> str:
        """The report for people."""
        operators = ", ".join(f"{count} {name}" for name, count in self.operators.items())
        lines = [
            f"{self.file}: {self.network}, opset {self.opset} (IR {self.ir_version}), {self.bytes:,} bytes, {self.parameters:,} parameters",
            *row("weights", self.weights()),
            *row("nodes", [f"{self.nodes}: {operators}"]),
            *row("input", [f"{item.name}: {item.type}" for item in self.inputs]),
            *row("output", [f"{item.name}: {item.type}" for item in self.outputs]),
            *row("function", [f"{item.name}: {item.nodes} nodes, called {item.calls} times" for item in self.functions]),
            *row("inline", [f"{address}: other nodes stand between its own" for address in self.inline]),
            *row("merged", self.merged),
            *row("folded", self.folded),
            *row("unfolded", self.not_folded),
            *row("float16", self.halves()),
            *row("runs in", self.runs_in),
            *(line for check in self.checks for line in row(check.verdict, [": ".join(filter(None, (check.name, check.detail)))])),
        ]
        if self.parity:
            lines.append("  largest absolute and relative difference from the reference interpreter")
        for item in self.parity:
            sizes = ", ".join(f"{name} {size}" for name, size in item.sizes.items()) or "fixed sizes"
            lines.append(f"    {item.backend:<27} {sizes:<28} {item.max_absolute:.1e}  {item.max_relative:.1e}")
        return "\n".join(lines)


def row(title: str, texts: tuple[str, ...] | list[str]) -> list[str]:
    return [f"  {title:<9} {text}" for text in texts]
