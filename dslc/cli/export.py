"""`dslc export RUN --output model.onnx [--report report.json] [--json]`: write the trained network as verified ONNX.

The model is checked and compared with the reference interpreter before it is written; on any failure there is no file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from dslc import usage
from dslc.cli import arguments
from dslc.cli.output import note, say
from dslc.diagnostics import SpecError
from dslc.files import output_path, same_file, write_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", type=Path, help="a run folder made by `dslc train`")
    parser.add_argument("--output", required=True, type=output_path, metavar="FILE", help="the ONNX file to write")
    parser.add_argument("--report", type=output_path, metavar="FILE", help="also write the report as JSON")
    parser.add_argument("--checkpoint", choices=("best", "last"), default="best", help="which weights (default: best)")
    parser.add_argument("--opset", type=opset, default=21, metavar="N", help="the ONNX opset, 13 … 28 (default: 21)")
    parser.add_argument("--flat", action="store_true", help="no functions: all nodes in one graph")
    parser.add_argument("--json", action="store_true", help="print the report as JSON instead of text")
    arguments.part_arguments(parser, "network")


def opset(text: str) -> int:
    """An opset that can be written."""
    from exporters.onnx.opset import OPSETS

    if text not in map(str, OPSETS):
        raise argparse.ArgumentTypeError(f"a whole number from {OPSETS[0]} to {OPSETS[-1]} is needed, not {text[:40]}")
    return int(text)


def run(args: argparse.Namespace) -> int:
    from dslc.api import Run

    if args.report is not None and same_file(args.report, args.output):
        raise SpecError(usage.BadArgument(detail="--report: it is the file of --output", usage="--output model.onnx --report report.json"))
    opened = Run.open(args.run, checkpoint=args.checkpoint)
    for text in opened.notes:
        note(f"note: {text}")
    report = opened.export(args.output, network=args.network, opset=args.opset, flat=args.flat)
    text = report.model_dump_json(indent=2)
    if args.report is not None:
        write_file(args.report, f"{text}\n")
    say(text if args.json else report.text(), exact=args.json)
    return 0
