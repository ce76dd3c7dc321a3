"""`dslc train FILE [--set lr=0.02] [--epochs 3] [--max-steps N] [--out RUN] [--resume RUN] [--json] [--quiet] ...`: train a spec.

FILE may be the bare name of a shipped spec. The run folder holds the spec, the metrics and the checkpoints `last` and `best`.
Ctrl-C finishes the step, saves, and exits with 130; `--resume` then continues bit for bit.

    dslc train lenet --epochs 5 --set lr=0.02
    dslc train my_net.nn --resume runs/my_net/0001
"""

from __future__ import annotations

import argparse
from pathlib import Path

from dslc.cli import arguments
from dslc.cli.output import complain


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.spec_argument(parser)
    arguments.set_argument(parser)
    arguments.shorthands(parser)
    parser.add_argument("--max-steps", type=arguments.count, metavar="N", help="stop after N steps in all; the schedule stays")
    parser.add_argument("--seed", type=arguments.whole, metavar="N", help="of weights, order and draws (default: 0)")
    devices = ("numpy", "cpu", "cuda", "auto")
    words = "where it runs: cpu makes machine code (default: cpu, numpy where that cannot be had; or DSLC_DEVICE)"
    parser.add_argument("--device", choices=devices, help=words)
    parser.add_argument("--threads", type=arguments.count, metavar="N", help="threads of the numpy and cpu devices (default: all cores)")
    arguments.precision_argument(parser)
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="where data files are looked for first (or DSLC_DATA)")
    parser.add_argument("--out", type=Path, metavar="RUN", help="the run folder (default: the next number in runs/NAME)")
    parser.add_argument("--resume", type=Path, metavar="RUN", help="continue the run in this folder")
    parser.add_argument("--json", action="store_true", help="print progress as JSON lines on standard output")
    parser.add_argument("--quiet", action="store_true", help="print errors and warnings only")
    arguments.part_arguments(parser, "train")


def run(args: argparse.Namespace) -> int:
    from dslc.api import Spec
    from dslc.checked import refuse_with_resume
    from dslc.ir.types import DType
    from runtime.train.progress import make_progress

    if args.resume is not None:
        refuse_with_resume({"--seed": args.seed, "--out": args.out})
    spec = Spec(args.file, arguments.overrides(args), DType(args.precision))
    complain(spec.warnings)
    result = spec.start(
        training=args.train,
        max_steps=args.max_steps,
        seed=args.seed,
        device=args.device,
        threads=args.threads,
        data_dir=args.data_dir,
        out=args.out,
        resume=args.resume,
        progress=make_progress(quiet=args.quiet, as_json=args.json),
    )
    return int(result.exit_code)
