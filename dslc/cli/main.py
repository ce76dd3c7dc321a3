"""The command `dslc`: finds the verb, runs it, and turns every error into a message and an exit code.

0 done, 1 a fault of dslc, 2 the spec or the usage is wrong, 3 data, 4 diverged, 130 interrupted, 143 terminated, 129 hung up.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import NoReturn

from dslc import __doc__ as about
from dslc import __version__
from dslc.cli.output import fault, finish, hang_up, last_words, note, prepare, report, say
from dslc.diagnostics import Diagnostic, DslcError, SpecError

VERBS = ("new", "check", "fmt", "explain", "ops", "show", "config", "train", "eval", "predict", "sample", "export", "cache")
INTERRUPTED = 130


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are diagnostics."""

    def error(self, message: str) -> NoReturn:
        from dslc import usage

        text = message.removeprefix("argument ").replace("the following arguments are required: ", "missing: ")
        raise SpecError(usage.BadArgument(detail=text, usage=self.usage or self.prog))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; nothing but diagnostics reaches the user."""
    prepare()
    try:
        return finish(dispatch(list(sys.argv[1:] if argv is None else argv)))
    except DslcError as error:
        return finish(report(error))
    except BrokenPipeError:
        hang_up()
        note("interrupted: nobody reads the output")
        return INTERRUPTED
    except KeyboardInterrupt:
        note("interrupted")
        return finish(INTERRUPTED)
    except SystemExit:
        raise
    except BaseException as error:  # a panic of a library is no Exception
        try:
            return finish(report(fault(error)))
        except MemoryError:
            return last_words()


def dispatch(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help"):
        say(overview())
        return 0
    if argv[0] == "--version":
        say(f"dslc {__version__}")
        return 0
    name = argv[0]
    if name not in VERBS:
        raise SpecError(unknown(name))
    verb = import_module(f"dslc.cli.{name}")
    parser = make_parser(name, verb)
    if any(word in ("-h", "--help") for word in argv[1:]):
        say(parser.format_help().rstrip())
        return 0
    known = set(flags(parser))
    for word in argv[1 : argv.index("--") if "--" in argv else None]:
        if word.startswith("--") and word.partition("=")[0] not in known:
            raise SpecError(left_over(name, parser, word))
    args, rest = parser.parse_known_args(argv[1:])
    if rest:
        raise SpecError(left_over(name, parser, rest[0]))
    return int(verb.run(args))


def unknown(name: str) -> Diagnostic:
    """The first word is neither a verb nor one of the two flags."""
    from dslc import usage

    if name.startswith("-"):
        return usage.UnknownFlag(
            command="dslc", found=name, advice=usage.advice(name, ("--help", "--version"), "`dslc --help` lists the verbs")
        )
    otherwise = f"`dslc check {name}`, perhaps? `dslc --help` lists the verbs" if name.endswith(".nn") else "`dslc --help` lists the verbs"
    return usage.UnknownVerb(found=name, advice=usage.advice(name, VERBS, otherwise))


def left_over(verb: str, parser: argparse.ArgumentParser, word: str) -> Diagnostic:
    """A word that the verb's parser did not take."""
    from dslc import usage

    if word.startswith("-") and len(word) > 1:
        flag = word.partition("=")[0]
        otherwise = f"`dslc {verb} --help` lists its flags"
        return usage.UnknownFlag(command=f"dslc {verb}", found=flag, advice=usage.advice(flag, flags(parser), otherwise))
    return usage.ExtraArgument(verb=verb, found=word, usage=parser.usage or "")


def flags(parser: argparse.ArgumentParser) -> list[str]:
    return [name for action in parser._actions for name in action.option_strings if name.startswith("--")]


# ---- help -------------------------------------------------------------------------------------------------------------------


def make_parser(name: str, verb: ModuleType) -> Parser:
    """The verb's parser: usage and description are the first paragraph of its module's docstring."""
    form, description = head(verb)
    parser = Parser(
        prog=f"dslc {name}",
        usage=form,
        description=description[:1].upper() + description[1:],
        epilog=body(verb),
        allow_abbrev=False,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=26, width=100),
    )
    verb.add_arguments(parser)
    return parser


def head(verb: ModuleType) -> tuple[str, str]:
    """`usage`, `what it does` from a docstring that begins "`usage`: what it does."."""
    form, _, summary = " ".join((verb.__doc__ or "").split("\n\n")[0].split()).removeprefix("`").partition("`: ")
    return form, summary


def body(verb: ModuleType) -> str:
    """The docstring's further paragraphs: examples and remarks."""
    return "\n\n".join((verb.__doc__ or "").strip().split("\n\n")[1:])


def overview() -> str:
    """`dslc --help`: one line for each verb."""
    from dslc.cli.arguments import rows

    table = []
    for name in VERBS:
        form, summary = head(import_module(f"dslc.cli.{name}"))
        subject = [word for word in form.split()[2:3] if word.strip("[].|").replace("|", "").isupper()]
        table.append((" ".join([name, *subject]), summary.rstrip(".")))
    lines = [f"dslc {__version__}: {(about or '').strip()[:1].lower()}{(about or '').strip()[1:]}", ""]
    lines += ["usage: dslc VERB ...", "", *rows(table, "  "), ""]
    lines += ["A shipped spec needs no path: `dslc train lenet`. `dslc VERB --help` explains a verb, docs/cli.md all of them."]
    return "\n".join(lines)
