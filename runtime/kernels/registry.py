"""Kernels: how one node becomes a list of prebound calls, and the rule that chooses: tuned for the device, else generated, else `eval`.

A kernel sees arrays of fixed shape over fixed memory and nothing else: no graph, no plan, no threads. Whoever binds it decides
whether it gets whole arrays or a piece of them (`Split`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from dslc.diagnostics import DataError
from dslc.ops.infer import evaluate
from runtime.device import Array
from runtime.errors import BadField

Step = Callable[[], object]


@dataclass(frozen=True)
class Call:
    """One application of an operator to arrays.

    attrs: resolved (no symbolic sizes); scratch(shape, dtype) gives memory that lasts as long as the calls of this node run;
    start: where the piece begins along the axis that was cut; place: where the operator stands in the spec, for messages.
    """

    op: str
    inputs: tuple[Array, ...]
    outputs: tuple[Array, ...]
    attrs: Mapping[str, Any]
    scratch: Callable[[Sequence[int], str], Array]
    xp: Any
    start: int = 0
    place: str = ""

    def fault(self, reason: str) -> DataError:
        """Data that the operator does not take: `raise call.fault(...)`."""
        return DataError(BadField(field=self.op, reason=f"{reason} ({self.place})" if self.place else reason))


@dataclass(frozen=True)
class Signature:
    """What is known of a node when its kernel is chosen: shapes and NumPy's dtype names; packed: whether each input is contiguous."""

    op: str
    inputs: tuple[tuple[tuple[int, ...], str], ...]
    outputs: tuple[tuple[tuple[int, ...], str], ...]
    attrs: Mapping[str, Any]
    packed: tuple[bool, ...] = ()


@dataclass(frozen=True)
class Split:
    """How a node may be cut into independent pieces.

    inputs: for each input the axis along which it is cut, None where every piece reads all of it.
    outputs: the same for results; None: every piece computes an addend of the whole result.
    size: length of the cut; grain: the shortest piece that is worth while; chunk: the length that runs from cache, 0 for no limit.
    """

    inputs: tuple[int | None, ...]
    outputs: tuple[int | None, ...]
    size: int
    grain: int = 1
    chunk: int = 0

    @property
    def adds(self) -> bool:
        return None in self.outputs


Bind = Callable[[Call], Sequence[Step]]
Cut = Callable[[Signature], Split | None]


def whole(signature: Signature) -> Split | None:
    """Not to be cut."""
    return None


@dataclass(frozen=True)
class Kernel:
    """bind: Call -> calls; fits: whether it can do this node; split: how the node may be cut."""

    bind: Bind
    split: Cut = whole
    fits: Callable[[Signature], bool] = lambda signature: True


class Registry:
    """The kernels of one device."""

    def __init__(self) -> None:
        self.tuned: dict[str, list[Kernel]] = {}
        self.generated: list[Kernel] = []

    def tune(self, *names: str, split: Cut = whole, fits: Callable[[Signature], bool] = lambda signature: True) -> Callable[[Bind], Bind]:
        """Register a tuned kernel for operators; of several that fit the first wins."""

        def register(bind: Bind) -> Bind:
            for name in names:
                self.tuned.setdefault(name, []).append(Kernel(bind, split, fits))
            return bind

        return register

    def choose(self, signature: Signature) -> Kernel:
        """Tuned, else generated, else the row's `eval`."""
        for kernel in (*self.tuned.get(signature.op, ()), *self.generated):
            if kernel.fits(signature):
                return kernel
        return EVAL


def bind_eval(call: Call) -> list[Step]:
    """The reference itself: `eval`, then a copy into the planned results. It allocates, so it is the last choice."""
    return [partial(run_eval, call)]


def run_eval(call: Call) -> None:
    try:
        results = evaluate(call.op, call.xp, call.inputs, call.attrs)
    except IndexError as error:
        raise call.fault(str(error)) from error
    for target, result in zip(call.outputs, results, strict=True):
        target[...] = result


EVAL = Kernel(bind_eval)
