"""Arguments that several verbs share: the spec, overrides in the order they are written, counts."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from dslc.diagnostics import Diagnostic, SpecError

if TYPE_CHECKING:
    from dslc.loading import Override
    from dslc.program import Program

OVERRIDES = "overrides"


class Append(argparse.Action):
    """Collects `(path, value, origin)` in the order of the command line: a later one wins."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, flag: str | None = None) -> None:
        found = [*(getattr(namespace, OVERRIDES, None) or ()), (str(self.const or ""), values, flag or "")]
        setattr(namespace, OVERRIDES, found)


def spec_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=spec_name, help="a spec: a path, or the bare name of a shipped one (lenet)")


def spec_name(text: str) -> str:
    """A file or a shipped spec; `-` is neither."""
    if text == "-":
        raise argparse.ArgumentTypeError("standard input is not read: name a file")
    return text


def set_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        action=Append,
        dest=OVERRIDES,
        metavar="NAME=VALUE",
        help="give a param (lr=0.02) or a setting of train (train.epochs=5) a value; repeatable",
    )
    parser.set_defaults(**{OVERRIDES: []})


def shorthand(parser: argparse.ArgumentParser, flag: str, path: str, help: str) -> None:
    """A flag that is a shorthand of `--set path=…`."""
    parser.add_argument(flag, action=Append, dest=OVERRIDES, const=path, type=count, metavar="N", help=help)


def shorthands(parser: argparse.ArgumentParser) -> None:
    """The flags that are shorthands of settings."""
    shorthand(parser, "--epochs", "train.epochs", "how often all samples are seen: --set train.epochs=N")
    shorthand(parser, "--batch-size", "train.batch_size", "samples in a step: --set train.batch_size=N")


def precision_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--precision", choices=("f32", "f64"), default="f32", help="the model's float (default: f32)")


def part_arguments(parser: argparse.ArgumentParser, *kinds: str) -> None:
    """`--train NAME`, `--network NAME` (R21)."""
    for kind in kinds:
        parser.add_argument(f"--{kind}", metavar="NAME", help=f"which `{kind}`, where the spec has several")


def count(text: str) -> int:
    """A whole number of at least 1."""
    return whole(text, low=1)


def whole(text: str, low: int = 0) -> int:
    """A whole number of at least `low`, of 15 digits at most."""
    shown = text if len(text) <= 40 else f"{text[:40]}…"
    if not (text.isascii() and text.isdigit()) or (len(text) <= 15 and int(text) < low):
        raise argparse.ArgumentTypeError(f"a whole number of at least {low} is needed, not {shown}")
    if len(text) > 15:
        raise argparse.ArgumentTypeError(f"a whole number of at most 15 digits is needed, not {shown}")
    return int(text)


UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}


def size(text: str) -> int:
    """Bytes: `1500000000`, `500MB`, `1.5 GiB`."""
    found = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([a-z]*)", text.lower())
    if found is None or found[2] not in UNITS:
        shown = text if len(text) <= 40 else f"{text[:40]}…"
        raise argparse.ArgumentTypeError(f"a number of bytes is needed, such as 1500000000, 500MB or 1.5GiB, not {shown}")
    return round(Fraction(found[1]) * UNITS[found[2]])


# ---- overrides ------------------------------------------------------------------------------------------------------------


def overrides(args: argparse.Namespace) -> tuple[Override, ...]:
    """The environment's overrides, then those of the command line in their order."""
    from dslc.loading import Override

    found = [split(text, "environment", "DSLC_SET") for text in pieces(os.environ.get("DSLC_SET", ""))]
    for path, value, flag in getattr(args, OVERRIDES, ()):
        found.append(Override(path, value, flag) if path else split(value, "--set", "--set"))
    return tuple(found)


def split(text: str, origin: str, shown: str) -> Override:
    """`lr=0.02` in its two parts; the value is text of the language, checked with the spec."""
    from dslc.loading import Override
    from dslc.usage import BadOverride

    path, equals, value = text.partition("=")
    if not equals or not path.strip() or not value.strip():
        raise SpecError(BadOverride(found=text, origin=shown))
    return Override(path.strip(), value.strip(), origin)


def pieces(text: str) -> list[str]:
    """The assignments of DSLC_SET, separated by `;` outside of strings."""
    found = [""]
    quoted = False
    for at, char in enumerate(text):
        quoted ^= char == '"' and text[at - 1 : at] != "\\"
        if char == ";" and not quoted:
            found.append("")
        else:
            found[-1] += char
    return [piece.strip() for piece in found if piece.strip()]


def load(args: argparse.Namespace, *, strict: bool = False) -> tuple[Program, tuple[Diagnostic, ...]]:
    """The checked program of `args.file` with all overrides, and its warnings (not printed). Raises SpecError."""
    from dslc.ir.types import DType
    from dslc.loading import load_program

    precision = DType(getattr(args, "precision", "f32"))
    train = getattr(args, "train", None)
    return load_program(args.file, overrides=overrides(args), precision=precision, strict=strict, train=train)


def rows(table: Sequence[Sequence[str]], indent: str = "") -> list[str]:
    """Lines with aligned columns, two spaces between them, the last column ragged."""
    widths = [max((len(row[at]) for row in table if at < len(row)), default=0) for at in range(max((len(row) for row in table), default=0))]
    return [indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in table]
