"""What an export did and how it was checked, as a pydantic model with a text and a JSON form."""

from __future__ import annotations

from dslc.ir.types import Frozen


class Tensor(Frozen):
    name: str
    type: str


class Check(Frozen):
    """A check that passed, or was left out and why (`passed` False)."""

    name: str
    passed: bool
    detail: str = ""


class Parity(Frozen):
    """The largest difference between the reference interpreter and a runtime over all outputs at these sizes."""

    backend: str
    sizes: dict[str, int]
    max_absolute: float
    max_relative: float


class Report(Frozen):
    """version 1 of the JSON form of `dslc export --report`."""

    version: int = 1
    file: str
    network: str
    opset: int
    ir_version: int
    bytes: int
    sha256: str
    nodes: int
    operators: dict[str, int]
    parameters: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    merged: tuple[str, ...]
    metadata: dict[str, str]
    checks: tuple[Check, ...]
    parity: tuple[Parity, ...]

    def text(self) -> str:
        """The report for people."""
        operators = ", ".join(f"{count} {name}" for name, count in self.operators.items())
        lines = [
            f"{self.file}: {self.network}, opset {self.opset} (IR {self.ir_version}), {self.bytes:,} bytes, {self.parameters:,} parameters",
            f"  nodes    {self.nodes}: {operators}",
            *(f"  input    {item.name}: {item.type}" for item in self.inputs),
            *(f"  output   {item.name}: {item.type}" for item in self.outputs),
            *(f"  merged   {line}" for line in self.merged),
            *(
                f"  {'passed ' if check.passed else 'left out'} {check.name}{': ' if check.detail else ''}{check.detail}"
                for check in self.checks
            ),
        ]
        if self.parity:
            lines.append("  parity with the reference interpreter (largest absolute and relative difference)")
        for row in self.parity:
            sizes = ", ".join(f"{name} {size}" for name, size in row.sizes.items()) or "fixed sizes"
            lines.append(f"    {row.backend:<16} {sizes:<28} {row.max_absolute:.1e}  {row.max_relative:.1e}")
        return "\n".join(lines)
