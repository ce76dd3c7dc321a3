"""`dslc cache [--clear]`: show or remove the machine code that `--device cpu` keeps."""

from __future__ import annotations

import argparse

from dslc.cli.output import say
from dslc.diagnostics import DataError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--clear", action="store_true", help="remove all of it; it is compiled again where it is needed")


def run(args: argparse.Namespace) -> int:
    from dslc.files import reason
    from dslc.ir.types import Dim
    from dslc.show import bytes_text
    from dslc.usage import CannotWriteFile
    from runtime.kernels.native import cache

    folder = cache.folder()
    try:
        if args.clear:
            say(f"{folder}: {count(cache.clear())} removed")
            return 0
        present = cache.entries()
    except OSError as error:
        raise DataError(CannotWriteFile(path=str(folder), reason=reason(error))) from error
    say(f"{folder}: {count(len(present))}, {bytes_text(Dim.of(sum(entry.bytes for entry in present))) or '0 B'}")
    return 0


def count(number: int) -> str:
    return f"{number} module{'' if number == 1 else 's'} of machine code"
