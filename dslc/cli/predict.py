"""`dslc predict RUN --input x.npy --output y.npy`: outputs of a trained network for new samples.

The input is data as the spec's `train` takes it (pixels, not pixels / 255): one array as .npy where the network reads one field,
several as .npz by name. With an .npz output all outputs are written by name; an .npy output holds the first, or the one that
`--name` names. `--direct` takes the network's own inputs instead of data.
"""

from __future__ import annotations

import argparse
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from dslc import usage
from dslc.cli.output import note, say
from dslc.diagnostics import DataError, SpecError
from dslc.files import npz, output_path, write_file

if TYPE_CHECKING:
    import numpy as np

    from dslc.api import Run
    from dslc.exports import Arrays


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", type=Path, help="a run folder made by `dslc train`")
    parser.add_argument("--input", required=True, type=Path, metavar="FILE", help="the samples: .npy or .npz")
    parser.add_argument("--output", required=True, type=array_path, metavar="FILE", help="the file to write: .npy or .npz")
    parser.add_argument("--name", metavar="OUTPUT", help="which output an .npy holds (default: the first)")
    parser.add_argument("--direct", action="store_true", help="the arrays are the network's inputs, not data fields")
    parser.add_argument("--checkpoint", choices=("best", "last"), default="best", help="which weights (default: best)")


def array_path(text: str) -> Path:
    path = output_path(text)
    if path.suffix not in (".npy", ".npz"):
        raise SpecError(
            usage.BadArgument(detail=f"--output: a file name that ends in .npy or .npz is needed, not {text!r}", usage="--output y.npy")
        )
    return path


def run(args: argparse.Namespace) -> int:
    from dslc.api import Run

    opened = Run.open(args.run, checkpoint=args.checkpoint)
    for text in opened.notes:
        note(f"note: {text}")
    given = read_arrays(args.input, opened, direct=args.direct)
    outputs = opened.forward(**given) if args.direct else opened.predict(**given)
    if args.output.suffix == ".npy":
        outputs = {name: outputs[name] for name in [chosen(outputs, args.name)]}
    write_file(args.output, encoded(outputs, args.output.suffix))
    shapes = ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in outputs.items())
    say(f"{args.output}: {shapes}")
    return 0


def read_arrays(path: Path, opened: Run, *, direct: bool) -> Arrays:
    """The arrays of a file by the names of fields; a single .npy is the only field that there is."""
    from runtime.data.npz import read_npy, read_npz  # their own reader: sizes are checked, no pickle can be reached

    if path.suffix == ".npz":
        arrays: Arrays = read_npz(path, str(path))
        return arrays
    names = list(opened.inputs(direct=direct))
    if len(names) != 1:
        detail = f"{path} holds one array, and {len(names)} are needed: {', '.join(names)}"
        raise DataError(usage.BadInput(detail=detail, advice="put them into an .npz: numpy.savez(file, name=array, …)"))
    return {names[0]: read_npy(path, str(path))}


def chosen(outputs: Arrays, name: str | None) -> str:
    if name is not None and name not in outputs:
        advice = usage.advice(name, outputs, f"it has {', '.join(outputs)}")
        raise SpecError(usage.NoSuchPart(path="the network", kind="output", found=name, advice=advice))
    return name or next(iter(outputs))


def encoded(outputs: dict[str, np.ndarray], suffix: str) -> bytes:
    import numpy as np

    if suffix != ".npy":
        return npz(outputs)
    stream = BytesIO()
    np.save(stream, next(iter(outputs.values())), allow_pickle=False)
    return stream.getvalue()
