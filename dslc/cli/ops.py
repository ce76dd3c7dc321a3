"""`dslc ops [NAME]`: list operators, standard layers, optimizers, schedules, initialisers and data sources, or describe one."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

from dslc import usage
from dslc.cli.arguments import rows
from dslc.cli.output import say
from dslc.diagnostics import SpecError

if TYPE_CHECKING:
    from dslc.ops.table import Op
    from dslc.vocabulary import Known, Word


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name", metavar="NAME", nargs="?", help="an operator, a standard layer, or a word of a setting (adam, cosine, he, csv)"
    )


def run(args: argparse.Namespace) -> int:
    if args.name is None:
        say(catalogue())
        return 0
    say(describe(args.name))
    return 0


def catalogue() -> str:
    """All layers and operators by kind, one line each."""
    from dslc.ops.table import rows as table
    from dslc.vocabulary import DATASETS

    kinds: dict[str, list[tuple[str, str]]] = {"standard layer": [(name, first(text)) for name, text in layers().items()]}
    for row in table():
        if not row.internal:
            kinds.setdefault(row.kind, []).append((row.name, row.doc))
    kinds |= {kind: [(word.name, word.doc) for word in words.values()] for kind, words in vocabulary().items()}
    kinds["data set"] = [(row.name, row.doc) for row in DATASETS.values()]
    lines: list[str] = []
    for kind, members in kinds.items():
        lines += [kind, *rows(members, "  "), ""]
    return "\n".join(
        [*lines, "`dslc ops NAME` describes one; a standard layer goes before the operator of the same name (`op.conv` is the operator)."]
    )


def describe(name: str) -> str:
    """The layer's source, the operator's signature and properties, the word's signature."""
    from dslc.ops.table import rows as table
    from dslc.vocabulary import DATASETS

    known = {row.name: row for row in table() if not row.internal}
    bare = name.removeprefix("op.").removeprefix("std.")
    parts = []
    if bare in layers() and not name.startswith("op."):
        parts.append(
            f"standard layer {bare}, specs/std/{bare}.nn:\n\n" + "\n".join(f"  {line}".rstrip() for line in layers()[bare].splitlines())
        )
    if bare in known and not name.startswith("std."):
        parts.append(operator(known[bare]))
    parts += [word(kind, words[name]) for kind, words in vocabulary().items() if name in words]
    if name in DATASETS:
        parts.append(data_set(DATASETS[name]))
    if not parts:
        others = [other for words in vocabulary().values() for other in words]
        advice = usage.advice(bare, (*known, *layers(), *others, *DATASETS), "`dslc ops` lists them all")
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


def vocabulary() -> dict[str, dict[str, Word]]:
    """The words of settings and data sources by kind."""
    from dslc import vocabulary as words

    return {
        "initialiser": words.INITIALISERS,
        "optimizer": words.OPTIMIZERS,
        "schedule": words.SCHEDULES,
        "clip": words.CLIPS,
        "constraint": words.CONSTRAINTS,
        "start": words.STARTS,
        "data source": words.SOURCES,
    }


NOT_YET = ("runs", "not yet: it can be checked, running it is an error")


def word(kind: str, row: Word) -> str:
    """Signature, what it is, and what its numbers may be."""
    table = [(name, str(bounds)) for name, bounds in row.ranges.items()]
    table += [(name, "one of " + ", ".join(f'"{choice}"' for choice in choices)) for name, choices in row.choices.items()]
    table += [(flag, f"needs `{number}` above 0") for flag, number in row.needs.items()]
    table += [] if row.runs else [NOT_YET]
    return "\n".join([f"{kind} {row.text}", "", f"  {row.doc}", *([""] if table else []), *rows(table, "  ")])


def data_set(row: Known) -> str:
    """What `dataset("NAME")` gives: its fields and classes."""
    table = [*row.fields.items(), *([("classes", ", ".join(row.classes))] if row.classes else [])]
    table += [] if row.runs else [NOT_YET]
    more = f", {row.settings}" if row.settings else ""
    return "\n".join([f'data set dataset("{row.name}"{more})', "", f"  {row.doc}", "", *rows(table, "  ")])


def layers() -> dict[str, str]:
    """The standard library: name -> source text."""
    from dslc.loading import specs_folder

    return {path.stem: path.read_text(encoding="utf-8") for path in sorted((specs_folder() / "std").glob("*.nn"))}


def first(text: str) -> str:
    """The block's head: its parameters with their defaults, by the names by which they are given (`weight` for `weight_`)."""
    from dslc.elaborate.calls import outside

    head = text[text.index("block ") :].removeprefix("block ").partition("{")[0]
    return re.sub(r"\w+_(?=[:=])", lambda found: outside(found[0]), " ".join(head.split()))
