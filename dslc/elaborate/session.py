"""What one check of a spec shares: the sink, fuel and the model's float."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dslc import limits
from dslc.diagnostics import LIMIT, Diagnostic, Sink
from dslc.elaborate import errors
from dslc.elaborate.literals import mended
from dslc.ir.types import DType, TensorType
from dslc.source import Source, Span
from dslc.syntax import ast
from dslc.syntax.parse import parse
from dslc.syntax.scan import MOST_TOKENS

if TYPE_CHECKING:
    from dslc.elaborate.files import Library
    from dslc.elaborate.splice import Finished
    from dslc.program import Network

EXPANSION = 14  # steps that the expansion of a block or a called network counts
SCAN = 24  # steps that a `scan` counts beside those of its body
NODE = 2  # steps that a node counts beside those of its expression
GRAPH = 3  # steps that a node of a training counts beside that, for the graphs that are made of it
REPORT = 4  # steps that a diagnostic counts
CONSTANTS = 2  # items of a list that become a tensor in one step
INPUTS = 4  # tensors of a node that count one step
ITEMS = 16  # items of a list that are looked through in one step
LETTERS = 64  # characters of an address, or of a text that is shown, in one step
SCOPES = 4  # bodies around a loop, for one step of a turn
TERMS = 2  # pairs of terms of symbolic sizes in one step
MOST_BLOCKS = 40  # nested calls of blocks
MOST_DEPTH = 600  # Python frames that nested expressions and calls may take together


class Stopped(Exception):
    """A hard limit is reached: elaboration ends; the diagnostic is in the sink already."""


class Session:
    """One run of the elaborator."""

    def __init__(self, sink: Sink, precision: DType) -> None:
        self.sink = sink
        self.precision = precision
        self.steps = 0
        self.most_steps = limits.STEPS * limits.factor()
        self.unread = False  # a text had more words and signs than the steps allow (reported)
        self.most_nodes = min(limits.NODES * limits.factor(), limits.MOST_NODES)
        self.depth = 0
        self.expansions: Counter[str] = Counter()
        self.heads: dict[int, str] = {}  # of blocks on one line, by the identity of the declaration
        self.signature_only: dict[str, str] = {}
        self.networks: dict[str, Network] = {}
        self.finished: dict[tuple[int, bool], Finished] = {}  # networks by the identity of the declaration, and the phase
        self.broken: set[str] = set()  # networks with errors of their own: calls of them are silent
        self.unknown: set[tuple[str, str]] = set()  # (file, name) of names that are reported as unknown
        self.misplaced: set[int] = set()  # statements in a wrong place, by identity: they are not elaborated
        self.layer_homes: dict[str, Span] = {}
        self.muted = 0
        self.phase_read = False  # `training` was read since this was last set
        self.sound: set[TensorType] = set()  # types within the limits
        self.library: Library

    def report(self, diagnostic: Diagnostic) -> None:
        if not self.muted:
            self.sink.add(mended(diagnostic))

    @contextmanager
    def silent(self, quiet: bool) -> Iterator[None]:
        """Report nothing inside if `quiet`: what is elaborated again has been reported once."""
        self.muted += quiet
        try:
            yield
        finally:
            self.muted -= quiet

    def step(self, span: Span, count: int = 1) -> None:
        """Steps of fuel (R9): one for each evaluated statement and expression, more for what takes longer."""
        self.steps += count
        if self.steps > self.most_steps:
            if self.unread:
                raise Stopped
            advice = limits.advice()
            self.stop(errors.TooManySteps(span=span, limit=f"{self.most_steps:,}", where=self.busiest(), advice=advice))

    def too_many_nodes(self, span: Span) -> Diagnostic:
        return errors.TooManyNodes(span=span, limit=f"{self.most_nodes:,}", where=self.busiest(), advice=limits.advice())

    def parse(self, source: Source) -> ast.File:
        """The tree of a file, read with what is left of the steps. Raises Stopped where a text before was too long for them."""
        if self.unread:
            raise Stopped
        most = min(limits.tokens_for(self.most_steps - self.steps), MOST_TOKENS)
        tree = parse(source, self.sink, most)
        self.unread |= tree.tokens >= most
        self.steps += limits.steps_of(tree.tokens)
        return tree

    def work(self, span: Span, size: int, share: int = ITEMS) -> None:
        """Fuel for something that takes time in proportion to a size: one step for each `share`."""
        if size >= share:
            self.step(span, size // share)

    def busiest(self) -> str:
        """Which blocks were expanded most, for the messages of fuel."""
        often = [f"`{name}` {count:,} times" for name, count in self.expansions.most_common(3) if count > 1]
        return f" (expanded {', '.join(often)})" if often else ""

    @property
    def full(self) -> bool:
        """No further error is kept: suggestions, which take time, are not worth making."""
        return self.sink.error_count >= LIMIT

    def stop(self, diagnostic: Diagnostic) -> None:
        self.sink.add(diagnostic)
        raise Stopped

    @contextmanager
    def deeper(self, frames: int, span: Span) -> Iterator[None]:
        """Account for Python frames, so that nested input never meets the interpreter's own limit."""
        self.depth += frames
        if self.depth > MOST_DEPTH:
            self.stop(errors.TooComplex(span=span))
        try:
            yield
        finally:
            self.depth -= frames
