"""`dslc export RUN --output model.onnx [--report report.json]`: write the trained network as verified ONNX."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", type=Path, help="a run folder made by `dslc train`")
    parser.add_argument("--output", required=True, type=Path, metavar="FILE", help="the ONNX file to write")
    parser.add_argument("--report", type=Path, metavar="FILE", help="also write the report as JSON")
    parser.add_argument("--checkpoint", choices=("best", "last"), default="best", help="which weights (default: best)")
    parser.add_argument("--network", metavar="NAME", help="which network, where the spec has several")
    parser.add_argument("--json", action="store_true", help="print the report as JSON instead of text")


def run(args: argparse.Namespace) -> int:
    from dslc.api import Run

    report = Run.open(args.run, checkpoint=args.checkpoint).export(args.output, network=args.network)
    text = report.model_dump_json(indent=2)
    if args.report is not None:
        from exporters.onnx.export import write

        write(args.report, f"{text}\n".encode())
    sys.stdout.write((text if args.json else report.text()) + "\n")
    return 0
