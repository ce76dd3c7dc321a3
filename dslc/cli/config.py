"""`dslc config FILE [--origin] [--set lr=0.02] [--epochs N] ...`: every param and setting of a spec with its value,
and the weights that each rule matches.

`--set` takes params by name, and every setting of a train body but losses and metrics: `train.epochs=5`, `train.accumulate=4`,
`train.ema=0.999`, `train.optimizer=adam(0.001)`, `train.clip=none`, of one step `train.critic.times=3`. `--origin` adds where each value
comes from: default, spec, environment (DSLC_SET), `--set` or a flag.
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
    arguments.shorthands(parser)
    arguments.precision_argument(parser)
    arguments.part_arguments(parser, "train")


def run(args: argparse.Namespace) -> int:
    from dslc.cli.rules import rule_lines
    from dslc.cli.settings import written_settings

    program, warnings = arguments.load(args)
    complain(warnings)
    listed = [*program.params, *written_settings(args.file, program)]
    for line in arguments.rows([row(item, args.origin) for item in listed]):
        say(line)
    for line in rule_lines(program.trainings.values()):
        say(line)
    if not listed:
        say(f"{program.path} has no params and no settings")
    return 0


def row(item: ParamValue, origin: bool) -> tuple[str, ...]:
    from dslc.cli.settings import TEXT
    from dslc.program import value_text

    text = str(item.value) if item.type == TEXT else value_text(item.value)
    cells = (item.name, f"= {text}")
    if not origin:
        return cells
    return (*cells, item.origin, item.place)
