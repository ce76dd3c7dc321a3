"""`dslc fmt FILE... [--check]`: write specs in their one canonical form; comments stay.

With `--check` nothing is written, and the exit code is 2 where a file has another form.
"""

from __future__ import annotations

import argparse

from dslc.cli.arguments import spec_name
from dslc.cli.output import note, report, say
from dslc.diagnostics import SpecError
from dslc.files import write_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", type=spec_name, help="specs: paths, or bare names of shipped ones")
    parser.add_argument("--check", action="store_true", help="only say which files have another form")


def run(args: argparse.Namespace) -> int:
    code = 0
    for name in args.files:
        try:
            changed = tidy(name, write=not args.check)
        except SpecError as error:
            code = report(error)
            continue
        if changed and args.check:
            code = code or SpecError.exit_code
    return code


def tidy(name: str, *, write: bool) -> bool:
    """Format one file; True if its form was another one."""
    from dslc.loading import find_spec
    from dslc.syntax.format import format_source
    from dslc.syntax.reader import read_source

    path, shown = find_spec(name)
    source = read_source(path, shown)
    text = format_source(source)
    if text.encode() == path.read_bytes():
        return False
    if write:
        write_file(path, text)
        say(f"{shown}: formatted")
    else:
        note(f"{shown}: not in canonical form (dslc fmt writes it)")
    return True
