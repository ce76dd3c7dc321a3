"""`dslc sample RUN --out samples.png [--network NAME] [--count 64] [--from test] [--seed N] ...`: pictures that a trained network makes.

The network's inputs are drawn from the standard normal distribution, as a generator takes them; with `--from` the network called first in
`train` gets the samples of a split as `train` gives them, as an autoencoder takes them. The output is [batch, 1 or 3, height, width].
Black and white are the least and the greatest value of all pictures, or what `--range` says.

    dslc sample runs/gan/0001 --network Generator --range -1 1 --out samples.png
    dslc sample runs/autoencoder/0001 --from test --count 16 --out copies.png
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from dslc import usage
from dslc.cli import arguments
from dslc.cli.output import note, say
from dslc.diagnostics import SpecError
from dslc.files import output_path, write_file

if TYPE_CHECKING:
    import numpy as np

    from dslc.exports import Arrays


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", type=Path, help="a run folder made by `dslc train`")
    parser.add_argument("--out", required=True, type=png_path, metavar="FILE", help="the picture to write: .png")
    parser.add_argument("--network", metavar="NAME", help="which network (default: the one that `train` calls first)")
    parser.add_argument("--output", metavar="NAME", help="which output of the network (default: the first)")
    parser.add_argument("--count", type=arguments.count, default=64, metavar="N", help="how many pictures (default: 64)")
    parser.add_argument("--seed", type=arguments.whole, default=0, metavar="N", help="of the draws (default: 0)")
    parser.add_argument("--from", dest="split", metavar="SPLIT", help="inputs from train, validation or test instead of draws")
    parser.add_argument("--range", nargs=2, type=float, metavar=("LOW", "HIGH"), help="the values that are black and white")
    parser.add_argument("--checkpoint", choices=("best", "last"), default="best", help="which weights (default: best)")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="where data files are looked for first (or DSLC_DATA)")


def png_path(text: str) -> Path:
    path = output_path(text)
    if path.suffix != ".png":
        raise SpecError(usage.BadArgument(detail=f"--out: a file name that ends in .png is needed, not {text!r}", usage="--out x.png"))
    return path


def run(args: argparse.Namespace) -> int:
    from dslc.api import Run
    from runtime.picture import grid, png

    opened = Run.open(args.run, checkpoint=args.checkpoint)
    for text in opened.notes:
        note(f"note: {text}")
    outputs = opened.sample(args.count, network=args.network, seed=args.seed, split=args.split, data_dir=args.data_dir)
    name, pictures = chosen(outputs, args.output)
    low, high = args.range or (float(pictures.min()), float(pictures.max()))
    if not low < high:
        low, high = low, low + 1.0
    write_file(args.out, png(grid(pictures, low, high)))
    count, channels, height, width = pictures.shape
    say(f"{args.out}: {count} pictures of `{name}`, {channels}×{height}×{width}, black {low:g}, white {high:g}")
    return 0


def chosen(outputs: Arrays, name: str | None) -> tuple[str, np.ndarray]:
    """The output that is drawn. Raises SpecError where it is not there or is no picture."""
    if name is not None and name not in outputs:
        advice = usage.advice(name, outputs, f"it has {', '.join(outputs)}")
        raise SpecError(usage.NoSuchPart(path="the network", kind="output", found=name, advice=advice))
    key = name or next(iter(outputs))
    shape = outputs[key].shape
    if len(shape) != 4 or shape[1] not in (1, 3):
        detail = f"the output `{key}` is {list(shape)}; pictures are [batch, 1 or 3, height, width]"
        raise SpecError(usage.BadArgument(detail=detail, usage="--output NAME"))
    return key, outputs[key]
