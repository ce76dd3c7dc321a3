"""One hostile input: how it is made, what is run, and what has to come out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

SECRET = "canary-5c1d7e90b2f4"  # stands in files and variables that no command may read or show
MIB = 1 << 20


ENDS = {
    0: "exit 0",
    2: "refused (2)",
    3: "refused (3)",
    4: "refused (4)",
    130: "interrupted (130)",
    143: "terminated (143)",
    -2: "SIGINT",
    -15: "SIGTERM",
}


@dataclass(frozen=True)
class Limits:
    """What the process of a case gets; the harness kills it after `wall` seconds."""

    memory: int = 8192 * MIB  # of address space
    spare: int = 0  # in place of `memory`: what may be taken beside that with which the command begins (Linux)
    cpu: int = 60
    file: int = 64 * MIB
    files: int = 64
    wall: int = 100


@dataclass(frozen=True)
class Place:
    """The folders of one case. In words of a command and in variables `@spec`, `@out`, ... stand for them."""

    base: Path

    @property
    def spec(self) -> Path:
        """The working folder: the spec and its data. Read only."""
        return self.base / "spec"

    @property
    def out(self) -> Path:
        """The only folder in which files may be made."""
        return self.base / "out"

    @property
    def secret(self) -> Path:
        """Outside: nothing here may be read, changed or made."""
        return self.base / "secret"

    @property
    def home(self) -> Path:
        return self.base / "home"

    @property
    def temporary(self) -> Path:
        """TMPDIR: written while a command runs, empty afterwards."""
        return self.base / "tmp"

    def fill(self, word: str) -> str:
        for name in ("spec", "out", "secret", "home"):
            word = word.replace(f"@{name}", str(getattr(self, name)))
        return word.replace("@tmp", str(self.temporary))


@dataclass(frozen=True)
class Result:
    """What a command did. `code` is negative for a signal."""

    code: int
    out: bytes
    err: bytes
    breach: str = ""  # the first thing that the guard refused
    late: bool = False
    cpu: float = 0.0  # seconds, with the start of the process
    memory: int = 0  # largest resident size in bytes; 0 where it was not measured

    @property
    def text(self) -> str:
        return (self.out + self.err).decode("utf-8", "strict")


@dataclass(frozen=True)
class Row:
    """An input of the list and what is expected of it.

    spec: the content of `spec.nn` (a function where it is large); build: makes further files (called after `spec` is written).
    before: commands that have to end with 0; then `command` (words of `dslc`), or `call` (`module:function`, called with the case's base
    folder in the guarded process), or `run` (a process of its own) is judged: its exit code, `says` (all of them in the output), `never`
    (none of them), and what `after` asserts. skip: why the item does not apply; missing: what this machine lacks for it.
    """

    number: int
    name: str
    spec: str | bytes | Callable[[], str | bytes] | None = None
    build: Callable[[Place], None] | None = None
    before: tuple[tuple[str, ...], ...] = ()
    command: tuple[str, ...] = ("check", "spec.nn")
    call: str = ""
    run: Callable[[Place], Result] | None = None
    exit: int | tuple[int, ...] = 2
    says: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    after: Callable[[Place, Result], None] | None = None
    env: dict[str, str] = field(default_factory=dict)
    changes: tuple[str, ...] = ()  # names in the spec's folder that may appear or change
    reads: tuple[str, ...] = ()  # further roots of data (`@home/data`)
    limits: Limits = Limits()
    skip: str = ""
    missing: str = ""

    @property
    def exits(self) -> tuple[int, ...]:
        return (self.exit,) if isinstance(self.exit, int) else self.exit

    @property
    def outcome(self) -> str:
        """For the table of docs/hostile.md."""
        if self.skip:
            return f"does not apply: {self.skip}"
        codes = " or ".join(ENDS.get(code, f"exit {code}") for code in self.exits)
        verdict = "defined" if self.exits == (0,) else codes
        said = [word.replace("`", "'") for word in self.says]
        return f"{verdict}: {', '.join(f'`{word}`' for word in said)}" if said else verdict
