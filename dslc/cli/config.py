"""`dslc config FILE [--origin]`: every param and setting of a spec with its value.

The left column is what `--set` takes. `--origin` adds where each value comes from: default, spec, environment (DSLC_SET),
`--set` or a flag.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from dslc.cli import arguments
from dslc.cli.output import complain, say

if TYPE_CHECKING:
    from dslc.program import ParamValue


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.spec_argument(parser)
    parser.add_argument("--origin", action="store_true", help="also say where each value comes from")
    arguments.set_argument(parser)


def run(args: argparse.Namespace) -> int:
    program, warnings = arguments.load(args)
    complain(warnings)
    table = [row(item, args.origin) for item in (*program.params, *program.settings)]
    for line in arguments.rows(table):
        say(line)
    return 0


def row(item: ParamValue, origin: bool) -> tuple[str, ...]:
    from dslc.show import value_text

    cells = (item.name, f"= {value_text(item.value)}")
    if not origin:
        return cells
    return (*cells, item.origin, item.place)
