"""From a file to a checked `Program`: finding specs, overrides, and the way through parser, resolver and elaborator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dslc.collector import paused_collector
from dslc.diagnostics import Diagnostic, Sink, SpecError
from dslc.elaborate import errors
from dslc.elaborate.suggest import meant, nearest
from dslc.ir.types import DType
from dslc.program import Argument, Program
from dslc.source import Source

SUFFIX = ".nn"


@dataclass(frozen=True)
class Override:
    """A value from outside: `path` is "lr" or "train.epochs".

    A `str` value is text to be parsed where `origin` is "--set" or "environment".
    """

    path: str
    value: str | Argument
    origin: str


def specs_folder() -> Path:
    """The shipped specs: beside the package in a checkout, inside it in an installed wheel."""
    package = Path(__file__).parent
    shipped = package / "shipped" / "specs"
    return shipped if shipped.is_dir() else package.parent / "specs"


def find_spec(name: str | Path) -> tuple[Path, str]:
    """The file of a spec and the name to show people. A bare name (`lenet`) is one of the shipped specs. Raises SpecError."""
    text = str(name)
    if isinstance(name, Path) or "/" in text or "\\" in text or text.endswith(SUFFIX):
        return Path(text), shown_path(Path(text))
    shipped = specs_folder() / f"{text}{SUFFIX}"
    if text.isidentifier() and shipped.is_file():
        return shipped, f"specs/{text}{SUFFIX}"
    if Path(text).exists():
        return Path(text), shown_path(Path(text))
    near = nearest(text, sorted(path.stem for path in specs_folder().glob(f"*{SUFFIX}")))
    raise SpecError(errors.NoSpec(name=text, meant=meant(near)))


def shown_path(path: Path) -> str:
    """A path as people gave it; an absolute one by its last parts, so that messages and models name no folder of a machine."""
    return path.as_posix() if not path.is_absolute() else "/".join(path.parts[-2:]).lstrip("/")


def load_program(
    name: str | Path,
    *,
    overrides: Sequence[Override] = (),
    precision: DType = DType.f32,
    strict: bool = False,
    train: str | None = None,
) -> tuple[Program, tuple[Diagnostic, ...]]:
    """The checked program of a spec with its warnings and notes.

    Raises SpecError with all errors; with `strict`, warnings are errors. `train`: the training that `train.SETTING` overrides mean.
    """
    from dslc.syntax.reader import read_source

    path, shown = find_spec(name)
    source = read_source(path, shown)
    program, found, dropped = check(source, path.parent, overrides, precision, strict, train)
    if program is None:
        raise SpecError([as_error(item) for item in found] if strict else found, dropped=dropped)
    return program, tuple(found)


def as_error(diagnostic: Diagnostic) -> Diagnostic:
    """A warning as the error that `strict` makes of it."""
    if diagnostic.severity != "warning":
        return diagnostic
    from copy import copy

    found = copy(diagnostic)
    object.__setattr__(found, "severity", "error")  # stands before that of the class
    return found


def check_source(
    source: Source,
    *,
    folder: Path | None = None,
    overrides: Sequence[Override] = (),
    precision: DType = DType.f32,
    strict: bool = False,
    train: str | None = None,
) -> tuple[Program | None, list[Diagnostic]]:
    """The program of a text (None if it has errors) and all diagnostics. `folder`: where imports and data files stand."""
    program, found, _ = check(source, folder, overrides, precision, strict, train)
    return program, found


@paused_collector()
def check(
    source: Source, folder: Path | None, overrides: Sequence[Override], precision: DType, strict: bool, train: str | None
) -> tuple[Program | None, list[Diagnostic], int]:  # fmt: skip
    """Parse, resolve names, elaborate. The number of errors beyond the limit comes last."""
    from dslc.elaborate.program import elaborate
    from dslc.elaborate.session import Session

    sink = Sink()
    given = parsed(overrides, sink)
    session = Session(sink, precision)
    tree = session.parse(source)
    program = elaborate(session, source, tree, folder, specs_folder() / "std", given, train)
    found = list(sink)
    failed = sink.error_count > 0 or (strict and any(item.severity == "warning" for item in found))
    return (None if failed else program), found, sink.dropped


def parsed(overrides: Sequence[Override], sink: Sink) -> Mapping[str, Any]:
    """Overrides by path, text parsed; what cannot be read is reported."""
    from dslc.elaborate.overrides import Outside, read

    found: dict[str, Outside] = {}
    for override in overrides:
        outside = read(override.path, override.value, override.origin, sink)
        if outside is None:
            continue
        found[outside.path] = outside  # the last one holds
    return found
