"""`dslc explain [CODE]`: what a diagnostic means, with a spec that has it and one that has not."""

from __future__ import annotations

import argparse
import re

from dslc import usage
from dslc.cli.arguments import rows
from dslc.cli.output import say
from dslc.diagnostics import SpecError

FENCED = re.compile(r"```\w*\n(.*?)\n```", re.DOTALL)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("code", metavar="CODE", nargs="?", help="the code in brackets: error[unknown-name]; without it all are listed")


def run(args: argparse.Namespace) -> int:
    from dslc.explain import codes, page

    if args.code is None:
        say("\n".join(rows([(known, page(known).title) for known in codes()])))
        return 0
    code = args.code.strip("[]")
    if code not in codes():
        raise SpecError(usage.UnknownCode(found=args.code, advice=usage.advice(code, codes(), "docs/diagnostics.md lists all codes")))
    found = page(code)
    parts = [f"{found.code}: {found.title}", FENCED.sub(lambda block: indented(block[1]), found.text.strip())]
    parts += ["Wrong:", indented(found.failing)] if found.failing.strip() else []
    parts += ["Right:", indented(found.passing)] if found.passing.strip() else []
    say("\n\n".join(parts))
    return 0


def indented(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.strip("\n").split("\n"))
