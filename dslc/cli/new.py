"""`dslc new NAME`: write NAME.nn, a small network with its training, to begin with.

An existing file is never overwritten.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from dslc import usage
from dslc.cli.output import say
from dslc.diagnostics import DataError, SpecError
from dslc.files import place, reason

DEVICES = re.compile("con|prn|aux|nul|(com|lpt)[0-9]", re.IGNORECASE)  # on Windows a file of such a name is a device
TEMPLATE = """\
dslc 1

param width: int = 16
param lr: float = 0.05 in 1e-4..1 log

# A block may be used as often as you like; each use has weights of its own.
block unit(x: [batch, c, *s], channels: int) {
  return x -> conv(channels, kernel=3, pad=1) -> relu -> max_pool(2)
}

network NAME {
  input image: [batch, 1, 28, 28]
  output logits = image -> unit(width) -> unit(2 * width) -> flatten -> dense(10)
  output class  = argmax(logits)
}

train {
  data = dataset("fashion-mnist")
  net  = NAME(data.image / 255)

  loss:       cross_entropy(net.logits, data.label)
  metric:     accuracy(net.logits, data.label)
  optimizer:  sgd(lr, momentum=0.9)
  schedule:   cosine(warmup=0.05)
  batch_size: 64
  epochs:     2
}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="name of the spec; the file is NAME.nn, in the present folder")


def run(args: argparse.Namespace) -> int:
    path = Path(args.name).with_suffix(".nn") if args.name.endswith(".nn") else Path(f"{args.name}.nn")
    if not re.fullmatch(r"[A-Za-z]\w{0,99}", path.stem, re.ASCII) or DEVICES.fullmatch(path.stem):
        raise SpecError(usage.BadName(found=args.name))
    create(path, TEMPLATE.replace("NAME", network_name(path.stem)))
    say(f"{path}: written. Next:\n  dslc check {path}\n  dslc show {path}\n  dslc train {path}")
    return 0


def create(path: Path, text: str) -> None:
    """Write a new file, whole; the system itself refuses an existing one, so nothing is lost in a race."""
    try:
        place(path, text.encode(), new=True)
    except FileExistsError as error:
        raise SpecError(usage.FileExists(path=str(path))) from error
    except OSError as error:
        raise DataError(usage.CannotWriteFile(path=str(path), reason=reason(error))) from error


def network_name(stem: str) -> str:
    """`my_net` -> `MyNet`; a name that the language keeps for itself gets `Net` behind it."""
    name = "".join(part[:1].upper() + part[1:] for part in stem.split("_") if part)
    return name or "Net"
