"""`dslc check FILE [--json] [--fix] [--strict]`: find every error in a spec, without data and without running it.

`--fix` applies the fixes that are certain and checks again. Errors give the exit code 2, warnings do not (unless `--strict`).
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from dslc.cli import arguments
from dslc.cli.output import complain, fault, note, say
from dslc.diagnostics import Diagnostic, DslcError, SpecError

if TYPE_CHECKING:
    from dslc.program import Program

ROUNDS = 20  # a fix may uncover the next error


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.spec_argument(parser)
    parser.add_argument("--json", action="store_true", help="print the diagnostics as JSON (docs/diagnostics.md) on standard output")
    parser.add_argument("--fix", action="store_true", help="apply the fixes that are certain to the file, then check again")
    parser.add_argument("--strict", action="store_true", help="treat warnings as errors")
    arguments.set_argument(parser)


def run(args: argparse.Namespace) -> int:
    if not args.json:
        return check(args)
    try:
        return check(args)
    except DslcError as error:
        return as_json(error.diagnostics, error.dropped, error.exit_code)
    except Exception as error:
        found = fault(error)
        return as_json(found.diagnostics, 0, found.exit_code)


def check(args: argparse.Namespace) -> int:
    if args.fix:
        mend(args)
    program, warnings = arguments.load(args, strict=args.strict)
    verdict = f"{program.path}: ok{summary(program)}"
    if args.json:
        return as_json(warnings, 0, 0)
    complain(warnings)
    say(verdict)
    return 0


def as_json(diagnostics: tuple[Diagnostic, ...], dropped: int, code: int) -> int:
    from dslc.render import render_json

    say(render_json(diagnostics, dropped=dropped).rstrip("\n"), exact=True)
    return code


def mend(args: argparse.Namespace) -> None:
    """Apply certain fixes, round by round, until none is left; each round replaces the file as a whole."""
    from dslc.files import write_file
    from dslc.loading import find_spec
    from dslc.render import apply_fixes
    from dslc.syntax.reader import read_source

    path, shown = find_spec(args.file)
    for _ in range(ROUNDS):
        source = read_source(path, shown)
        fixable = [d for d in diagnose(args) if d.fix is not None and d.fix.edits[0].span.source.path == shown]
        text = apply_fixes(source, fixable)
        if text == source.text:
            return
        write_file(path, text)
        for diagnostic in fixable:
            note(f"fixed: {diagnostic.fix.title if diagnostic.fix else ''}")


def diagnose(args: argparse.Namespace) -> tuple[Diagnostic, ...]:
    """Everything that is to be said about the spec, errors and warnings."""
    try:
        return arguments.load(args, strict=args.strict)[1]
    except SpecError as error:
        return error.diagnostics


def summary(program: Program) -> str:
    """` (431,080 parameters)`, by network where there are several."""
    from dslc.show import parameter_count

    counts = {name: parameter_count(network) for name, network in program.networks.items()}
    if not counts:
        return ""
    if len(counts) == 1:
        return f" ({words(*counts.values())})"
    return f" ({', '.join(f'{name} {words(number)}' for name, number in counts.items())})"


def words(number: int) -> str:
    return f"{number:,} parameter{'' if number == 1 else 's'}"
