"""Writes docs/operators.md from the table: `python -m dslc.ops.document`."""

from __future__ import annotations

from pathlib import Path

from dslc.ops.table import Op, Unsupported, rows

TITLES = {
    "elementwise": "Elementwise",
    "reduce": "Reductions",
    "movement": "Shapes, slices, joins, indexing",
    "linalg": "Linear algebra",
    "conv": "Convolution",
    "pool": "Pooling and resizing",
    "norm": "Normalisation",
    "loss": "Losses and metrics",
    "random": "Random draws",
    "constant": "Constants",
    "scan": "Loops",
}
HEAD = """# Operators

This page is generated from the operator table by `make docs`. The signature is the shape rule: equal letters are equal sizes, `*s` stands
for any axes, `f` is any float, `i` any integer, `n` any number, `t` anything; `= none` marks what may be left out.
`dslc ops NAME` shows one operator; layers with weights are in `specs/std/`.
"""


def text() -> str:
    """The whole page; by name in each family, so that it is the same whichever module was imported first."""
    families: dict[str, list[Op]] = {}
    for row in sorted(rows(), key=lambda row: row.name):
        if not row.internal:
            families.setdefault(row.kind, []).append(row)
    return "\n".join([HEAD, *(section(kind, families[kind]) for kind in TITLES if kind in families)])


def section(kind: str, members: list[Op]) -> str:
    lines = [f"## {TITLES[kind]}", "", "| operator | meaning | gradient | ONNX |", "|---|---|---|---|"]
    lines += [f"| `{row.text}` | {row.doc.replace('|', chr(92) + '|')} | {gradient(row)} | {onnx(row)} |" for row in members]
    return "\n".join([*lines, ""])


def gradient(row: Op) -> str:
    """The inputs that a gradient reaches."""
    if row.eval is None:
        return "signature"
    return ", ".join(name for name, rule in row.grad.items() if rule is not None) or "none"


def onnx(row: Op) -> str:
    if isinstance(row.onnx, Unsupported):
        return row.onnx.reason
    return "several nodes" if row.onnx == "lower" else row.onnx


def main() -> None:
    path = Path(__file__).parents[2] / "docs" / "operators.md"
    path.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
