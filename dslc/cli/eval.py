"""`dslc eval RUN [--split test] [--json]`: loss and metrics of a trained run over a whole split of its data."""

from __future__ import annotations

import argparse
from pathlib import Path

from dslc.cli.output import note, say
from dslc.cli.tables import report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", type=Path, help="a run folder made by `dslc train`")
    parser.add_argument("--split", default="test", metavar="NAME", help="train, validation or test (default: test)")
    parser.add_argument("--checkpoint", choices=("best", "last"), default="best", help="which weights (default: best)")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="where data files are looked for first (or DSLC_DATA)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    from dslc.api import Run

    opened = Run.open(args.run, checkpoint=args.checkpoint)
    for text in opened.notes:
        note(f"note: {text}")
    values = opened.evaluate(args.split, data_dir=args.data_dir)
    if not args.json:
        say(report(values, opened.training))
        return 0
    import json

    from runtime.train.metrics import finite, plain_names

    facts = {"version": 1, "run": str(args.run), "split": args.split, "checkpoint": opened.saved.checkpoint}
    say(json.dumps({**facts, "values": finite(plain_names(values))}), exact=True)
    return 0
