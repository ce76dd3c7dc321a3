"""`dslc export RUN --output model.onnx [--report report.json] [--json]`: write the trained network as verified ONNX.

The model is checked and compared with the reference interpreter before it is written; on any failure there is no file.
`dslc export SPEC|RUN --train-step [NAME] --output step.onnx` writes a training step instead: forward, backward and update.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dslc import usage
from dslc.cli import arguments
from dslc.cli.output import note, say
from dslc.diagnostics import SpecError
from dslc.files import output_path, same_file, write_file

if TYPE_CHECKING:
    from dslc.api import Run
    from exporters.onnx.report import Report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", type=Path, help="a run folder made by `dslc train`; with --train-step also a spec")
    parser.add_argument("--output", required=True, type=output_path, metavar="FILE", help="the ONNX file to write")
    parser.add_argument("--report", type=output_path, metavar="FILE", help="also write the report as JSON")
    parser.add_argument("--checkpoint", choices=("best", "last"), help="which weights (default: best; with --train-step last)")
    parser.add_argument("--opset", type=opset, default=21, metavar="N", help="the ONNX opset, 13 … 28 (default: 21)")
    parser.add_argument("--flat", action="store_true", help="no functions: all nodes in one graph")
    parser.add_argument("--fold-batch-norm", action="store_true", help="make batch normalisation part of the weights before it")
    parser.add_argument("--dtype", choices=("f32", "f16"), default="f32", help="f16: weights and most operators in half precision")
    parser.add_argument(
        "--external-data",
        nargs="?",
        const=True,
        metavar="NAME",
        help="weights in a file of this name beside the model (default: MODEL.data; .safetensors: as such; the run's checkpoint is shared)",
    )
    parser.add_argument(
        "--external-data-above", type=arguments.size, metavar="SIZE", help="from which size of all weights on (500MB; default: 1.5GiB)"
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON instead of text")
    parser.add_argument(
        "--train-step", nargs="?", const="", metavar="NAME", help="write a training step: forward, backward and update (NAME: of several)"
    )
    parser.add_argument("--seed", type=arguments.whole, metavar="N", help="of a step's first weights and draws (default: 0, or the run's)")
    arguments.part_arguments(parser, "network", "train")


def opset(text: str) -> int:
    """An opset that can be written."""
    from exporters.onnx.opset import OPSETS

    if text not in map(str, OPSETS):
        raise argparse.ArgumentTypeError(f"a whole number from {OPSETS[0]} to {OPSETS[-1]} is needed, not {text[:40]}")
    return int(text)


def run(args: argparse.Namespace) -> int:
    if args.report is not None and same_file(args.report, args.output):
        raise SpecError(usage.BadArgument(detail="--report: it is the file of --output", usage="--output model.onnx --report report.json"))
    refuse_mixed(args)
    refuse_report(args)
    with drafts_removed():
        report = network(args) if args.train_step is None else train_step(args)
    text = report.model_dump_json(indent=2)
    if args.report is not None:
        write_file(args.report, f"{text}\n")
    say(text if args.json else report.text(), exact=args.json)
    return 0


@contextmanager
def drafts_removed() -> Iterator[None]:
    """SIGTERM ends an export as an error does, so that no draft of a large file is left. Exit code 143."""
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def refuse_report(args: argparse.Namespace) -> None:
    """The report may not stand where the weights will."""
    data = args.output.parent / (f"{args.output.name}.data" if args.external_data in (None, True) else args.external_data)
    if args.report is not None and same_file(args.report, data):
        usage_line = "--output model.onnx --report report.json --external-data"
        raise SpecError(usage.BadArgument(detail="--report: it is the file of the weights", usage=usage_line))


def opened(args: argparse.Namespace) -> Run:
    from dslc.api import Run

    whole = args.train_step is None
    found = Run.open(args.run, checkpoint=args.checkpoint or ("best" if whole else "last"), mapped=whole)
    for text in found.notes:
        note(f"note: {text}")
    return found


def network(args: argparse.Namespace) -> Report:
    options = {"opset": args.opset, "flat": args.flat, "fold_batch_norm": args.fold_batch_norm, "dtype": args.dtype}
    options |= {"external_data": args.external_data, "external_data_above": args.external_data_above}
    return opened(args).export(args.output, network=args.network, **options)


def train_step(args: argparse.Namespace) -> Report:
    """A step of a run's training, or of a spec's from fresh weights."""
    from dslc.api import load

    name = args.train_step or None
    if args.run.is_dir():
        if args.seed is not None or args.train is not None:
            detail = "--seed and --train have no meaning with a run, which has its own"
            raise SpecError(usage.BadArgument(detail=detail, usage="--train-step --output step.onnx"))
        return opened(args).export_step(args.output, step=name, opset=args.opset)
    spec = load(str(args.run))
    return spec.export_step(args.output, step=name, training=args.train, seed=args.seed or 0, opset=args.opset)


def refuse_mixed(args: argparse.Namespace) -> None:
    """What belongs to a network only, or to a training step only."""
    from exporters.onnx.half import refuse_half_step

    if args.train_step is not None and args.network is not None:
        raise SpecError(usage.BadArgument(detail="--network has no meaning with --train-step", usage="--train-step [NAME]"))
    if args.train_step is not None and args.fold_batch_norm:
        detail = "--fold-batch-norm has no meaning with --train-step, which trains the moments"
        raise SpecError(usage.BadArgument(detail=detail, usage="--train-step [NAME]"))
    if args.train_step is not None:
        refuse_half_step(args.dtype)
    if args.train_step is not None and (args.external_data is not None or args.external_data_above is not None):
        detail = "--external-data has no meaning with --train-step: the weights are inputs of the model and stand in .npz"
        raise SpecError(usage.BadArgument(detail=detail, usage="--train-step [NAME]"))
    if args.train_step is None and (args.train is not None or args.seed is not None):
        raise SpecError(usage.BadArgument(detail="--train and --seed belong to --train-step", usage="--train-step --train NAME"))
