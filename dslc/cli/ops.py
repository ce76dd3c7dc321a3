"""`dslc ops [NAME]`: list the operators and standard layers, or describe one."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from dslc import usage
from dslc.cli.arguments import rows
from dslc.cli.output import say
from dslc.diagnostics import SpecError

if TYPE_CHECKING:
    from dslc.ops.table import Op


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", help="an operator or a standard layer")


def run(args: argparse.Namespace) -> int:
    if args.name is None:
        say(catalogue())
        return 0
    say(describe(args.name))
    return 0


def catalogue() -> str:
    """All layers and operators by kind, one line each."""
    from dslc.ops.table import rows as table

    kinds: dict[str, list[tuple[str, str]]] = {"standard layer": [(name, first(text)) for name, text in layers().items()]}
    for row in table():
        if not row.internal:
            kinds.setdefault(row.kind, []).append((row.name, row.doc))
    lines: list[str] = []
    for kind, members in kinds.items():
        lines += [kind, *rows(members, "  "), ""]
    return "\n".join(
        [*lines, "`dslc ops NAME` describes one; a standard layer goes before the operator of the same name (`op.conv` is the operator)."]
    )


def describe(name: str) -> str:
    """The layer's source, the operator's signature and properties."""
    from dslc.ops.table import rows as table

    known = {row.name: row for row in table() if not row.internal}
    bare = name.removeprefix("op.").removeprefix("std.")
    parts = []
    if bare in layers() and not name.startswith("op."):
        parts.append(
            f"standard layer {bare}, specs/std/{bare}.nn:\n\n" + "\n".join(f"  {line}".rstrip() for line in layers()[bare].splitlines())
        )
    if bare in known and not name.startswith("std."):
        parts.append(operator(known[bare]))
    if not parts:
        advice = usage.advice(bare, (*known, *layers()), "`dslc ops` lists them all")
        raise SpecError(usage.UnknownOperator(found=name, advice=advice))
    return "\n\n".join(parts)


def operator(row: Op) -> str:
    from dslc.ops.table import Unsupported

    gradient = ", ".join(name if rule is not None else f"{name}: none" for name, rule in row.grad.items()) or "none"
    onnx = row.onnx.reason if isinstance(row.onnx, Unsupported) else "yes" if row.onnx == "lower" else row.onnx
    table = [("kind", row.kind), ("gradient", gradient), ("ONNX", onnx)]
    table += [] if row.eval is not None else [("runs", "not yet: the signature is checked, running it is an error")]
    table += [("example", row.example)] if row.example else []
    return "\n".join([f"operator {row.text}", "", f"  {row.doc}", "", *rows(table, "  ")])


def layers() -> dict[str, str]:
    """The standard library: name -> source text."""
    from dslc.loading import specs_folder

    return {path.stem: path.read_text(encoding="utf-8") for path in sorted((specs_folder() / "std").glob("*.nn"))}


def first(text: str) -> str:
    """The block's head: its parameters with their defaults."""
    head = text[text.index("block ") :].removeprefix("block ").partition("{")[0]
    return " ".join(head.split())
