"""`dslc show FILE [--graph out.svg] [--ir] [--plan] [--print-after PASS] [--time-passes] [--batch-size N]`: what a spec becomes.

Without flags: the layers with address, output shape, parameters, multiply-adds and memory, and totals.
Sizes and multiply-adds are for one sample; sizes that are not fixed stay symbolic.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from dslc.cli import arguments
from dslc.cli.output import output_path

if TYPE_CHECKING:
    pass


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.spec_argument(parser)
    parser.add_argument("--graph", metavar="SVG", type=output_path, help="draw the network into an SVG file")
    parser.add_argument("--ir", action="store_true", help="print the optimised graph of each network")
    parser.add_argument("--plan", action="store_true", help="print the training step: buffers with offsets, and steps in order")
    parser.add_argument("--print-after", metavar="PASS", help="print the graph after this pass of the compiler")
    parser.add_argument("--time-passes", action="store_true", help="print the time that each pass takes")
    parser.add_argument("--batch-size", type=arguments.count, metavar="N", help="for memory and plan (default: the spec's)")
    arguments.part_arguments(parser, "network", "train")
    arguments.precision_argument(parser)
    arguments.set_argument(parser)
