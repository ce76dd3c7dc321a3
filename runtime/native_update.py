"""An optimizer's step as native code: all of it in one pass over the vectors."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from dslc.ir.graph import Graph
from runtime.kernels.native.cache import objects_of
from runtime.kernels.native.emit import Emitter, Kernel
from runtime.kernels.native.layout import plain
from runtime.kernels.native.machine import Library, host
from runtime.kernels.native.pieces import UNNAMED, named
from runtime.loops.whole import whole_nest

if TYPE_CHECKING:
    from runtime.update import Piece, Update


def native_parts(update: Update, parts: Sequence[Sequence[Piece]]) -> list[list[Callable[[], object]]]:
    """For each thread the calls that update its pieces, which lie in `update.arrays`. NoNest where a rule cannot be said in a nest."""
    rules = {piece.rule: piece for part in parts for piece in part}
    kernels = {rule: named(kernel_of(update.graph(piece))) for rule, piece in rules.items()}
    modules = {kernel.name: text for kernel, text in kernels.values()}
    library = Library(objects_of(list(modules.values()), host(), len(parts)), list(modules))
    return [[call(update, piece, kernels[piece.rule][0], library) for piece in part] for part in parts]


def kernel_of(graph: Graph) -> Kernel:
    """One function for vectors of any length, or for a weight as a whole."""
    nest, arrays = whole_nest(graph, {output.name: output.name for output in graph.outputs})
    return Emitter(nest, arrays, plain(arrays), host().width, None).kernel(UNNAMED)


def call(update: Update, piece: Piece, kernel: Kernel, library: Library) -> Callable[[], object]:
    """The function bound to the memory of a piece. It keeps the arrays and the code alive."""
    named = update.inputs(piece)
    arrays = [named[name] for name in kernel.arrays]
    numbers = [ctypes.c_int64] * (2 + len(kernel.sizes))
    function: Any = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(arrays), *numbers)(library.addresses[kernel.name])
    sizes = [size.evaluate({"n": piece.size}) for size in kernel.sizes]
    return partial(run, (library, arrays), partial(function, *(array.ctypes.data for array in arrays), 0, 0, *sizes))


def run(kept: Any, function: Callable[[], object]) -> None:
    function()
