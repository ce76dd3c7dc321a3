"""Makes a spec that fails smaller, as long as it fails in the same way, and writes it down as a pinned file.

    python -m tests.soundness.shrink CAMPAIGN CASE [--name NAME]

Text goes in and text comes out: lines go away, alone and with the braces that they open; calls lose arguments and become their first
operand; sizes and numbers become smaller, in the text and in the data. What remains is tried with data drawn anew, so that a file needs
no more than their shapes.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from dslc.diagnostics import DslcError
from tests.soundness import pins
from tests.soundness.checks import CHECKS, FIRST_SEEDS, Check
from tests.soundness.specs import Spec, make_spec

SECONDS = 100.0  # no new attempt begins after this time
NUMBER = re.compile(r"(?<![\w.])(?<!e-)\d+(?![\w.])")


def way(check: Check, spec: Spec) -> str | None:
    """In which way a spec fails: the kind of the error, and what it is about without names and numbers; None where it holds."""
    with TemporaryDirectory() as folder:
        try:
            check(spec, Path(folder))
        except DslcError as error:
            return f"{type(error).__name__} {error.diagnostics[0].code}"
        except Exception as error:
            first = (str(error).strip().splitlines() or [""])[0]
            return f"{type(error).__name__} {re.sub(r'[0-9.]+', '', first.partition(':')[0])[:40]}"
    return None


def shrink(spec: Spec, fails: Callable[[Spec], bool], seconds: float = SECONDS) -> Spec:
    """The smallest spec that is found for which `fails` is true; it is true for `spec`."""
    end = time.monotonic() + seconds
    changed = True
    while changed and time.monotonic() < end:
        changed = False
        for candidates in (without_lines, with_simpler_lines, with_smaller_sizes):
            found = exhausted(spec, candidates, fails, end)
            changed = changed or found is not spec
            spec = found
    return with_used_data(spec, fails)


def exhausted(spec: Spec, candidates: Callable[[Spec], Iterator[Spec]], fails: Callable[[Spec], bool], end: float) -> Spec:
    """The spec after a round of candidates without one that fails. After one that does, the round goes on at its place."""
    tried, last = 0, 0  # in this round; at the last success
    while time.monotonic() < end:
        other = next(islice(candidates(spec), tried, None), None)
        if other is None:
            if not last:
                break
            tried = last = 0
        elif smaller(other, spec) and fails(other):
            spec, last = other, tried + 1
        else:
            tried += 1
    return spec


def smaller(a: Spec, b: Spec) -> bool:
    return measure(a) < measure(b)


def measure(spec: Spec) -> tuple[int, int, int]:
    """Lines, characters, then the numbers of text and data together."""
    numbers = sum(map(int, NUMBER.findall(spec.text))) + sum(array.size for array in spec.arrays.values())
    return len(spec.text.splitlines()), len(NUMBER.sub("0", spec.text)), numbers


# ---- lines ----------------------------------------------------------------------------------------------------------------------------


def without_lines(spec: Spec) -> Iterator[Spec]:
    """Runs of lines that balance go away, the longest first; then bodies without their heads; then a name that is another from here on."""
    lines = spec.text.splitlines()
    size = len(lines) // 2
    while size:
        for start in range(1, len(lines) - size + 1):
            if balanced(lines[start : start + size]):
                yield with_lines(spec, lines[:start] + lines[start + size :])
        size = size // 2 if size > 4 else size - 1
    for start, line in enumerate(lines):
        if line.rstrip().endswith("{"):
            stop = closing(lines, start)
            yield with_lines(spec, lines[:start] + lines[stop + 1 :])
            yield with_lines(spec, lines[:start] + lines[start + 1 : stop] + lines[stop + 1 :])
    for start, line in enumerate(lines):
        bound = re.match(r"\s*(\w+) = (.*)", line)
        for name in dict.fromkeys(re.findall(r"\b[a-z]+\d+(?:\.\w+)?\b", bound[2])) if bound else ():
            rest = [re.sub(rf"\b{bound[1]}\b", name, other) for other in lines[start + 1 :]] if bound else []
            yield with_lines(spec, lines[:start] + rest)


def balanced(lines: list[str]) -> bool:
    depth = 0
    for line in lines:
        depth += line.count("{") - line.count("}")
        if depth < 0:
            return False
    return depth == 0


def closing(lines: list[str], start: int) -> int:
    """The line of the brace that closes what the line `start` opens."""
    depth = 0
    for at in range(start, len(lines)):
        depth += lines[at].count("{") - lines[at].count("}")
        if depth <= 0:
            return at
    return len(lines) - 1


def with_lines(spec: Spec, lines: list[str]) -> Spec:
    return replace(spec, text="\n".join(lines) + "\n")


# ---- within lines ---------------------------------------------------------------------------------------------------------------------


def with_simpler_lines(spec: Spec) -> Iterator[Spec]:
    lines = spec.text.splitlines()
    for at, line in enumerate(lines[1:], 1):
        for other in simpler(line):
            yield with_lines(spec, [*lines[:at], other, *lines[at + 1 :]])


def simpler(line: str) -> Iterator[str]:
    """The line without an argument, a term or a step of a chain; with a call as its first operand; without all that stands in brackets."""
    for part in re.finditer(
        r"(?: -> | [-+*/%@] )[^,\n]*$| -> \w[\w.]*(?:\((?:[^()]|\([^()]*\))*\))?| [-+*/%@] (?:[\w.]+(?:\((?:[^()]|\([^()]*\))*\))?)", line
    ):
        yield line[: part.start()] + line[part.end() :]
    for part in re.finditer(r", [^,()\[\]]*(?:\[[^\[\]]*\]|\([^()]*\))?(?=[,)\]]|$)", line):
        yield line[: part.start()] + line[part.end() :]
    for part in re.finditer(r"[\w.]+\(([^(),]+)[^()]*\)|\(([^()]*)\)", line):
        yield line[: part.start()] + (part[1] or part[2] or "") + line[part.end() :]


def with_smaller_sizes(spec: Spec) -> Iterator[Spec]:
    """Data with fewer numbers along an axis, with the number of the text that says so; then other numbers of the text alone."""
    for name, array in spec.arrays.items():
        for axis in range(1, array.ndim) if name not in spec.whole else range(array.ndim):
            size = array.shape[axis]
            for less in dict.fromkeys(n for n in (1, 2, size // 2) if 0 < n < size):
                cut = array.take(range(less), axis)
                text = re.sub(rf"(?<![\w.]){size}(?![\w.])", str(less), spec.text)
                yield replace(spec, text=text, arrays={**spec.arrays, name: cut})
    for found in NUMBER.finditer(spec.text, spec.text.index("\n")):
        for less in dict.fromkeys(n for n in (0, 1, 2) if n < int(found[0])):
            yield replace(spec, text=spec.text[: found.start()] + str(less) + spec.text[found.end() :])


def with_used_data(spec: Spec, fails: Callable[[Spec], bool]) -> Spec:
    """Only the arrays that the text reads; drawn anew where that fails too."""
    used = {name: array for name, array in spec.arrays.items() if re.search(rf"\b{name}\b", spec.text)}
    fewer = replace(spec, arrays=used, whole=tuple(name for name in spec.whole if name in used))
    spec = fewer if fails(fewer) else spec
    return next((other for seed in range(10) if fails(other := pins.drawn_anew(spec, seed))), spec)


# ---- use ------------------------------------------------------------------------------------------------------------------------------


def shrunk(spec: Spec, check: Check, seconds: float = SECONDS) -> Spec:
    """A spec that fails, made smaller; AssertionError where it holds."""
    wanted = way(check, spec)
    assert wanted is not None, "the spec holds"
    return shrink(spec, lambda other: way(check, other) == wanted, seconds)


@contextmanager
def pinned_on_failure(check: str, case: int, spec: Spec) -> Iterator[None]:
    """A case that fails inside leaves a pinned file of its spec, shrunk, and the error names it."""
    try:
        yield
    except Exception as error:
        try:
            path = pins.write(f"{check}_{case}", shrunk(spec, CHECKS[check](case)))
        except AssertionError:  # it holds alone: something of an earlier case is left
            raise error from None
        raise AssertionError(f"{type(error).__name__}: {error}\nshrunk in {path.name}:\n{path.read_text()}") from error


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.soundness.shrink", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("check", choices=sorted(CHECKS), help="the campaign")
    parser.add_argument("case", type=int, help="its number")
    parser.add_argument("--name", help="of the pinned file")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="no new attempt begins after this time")
    args = parser.parse_args()
    check = CHECKS[args.check](args.case)
    small = shrunk(make_spec(FIRST_SEEDS[args.check] + args.case), check, args.seconds)
    path = pins.write(args.name or f"{args.check}_{args.case}", small)
    print(f"{path.read_text()}\n{path}: {way(check, small)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
