"""An optimizer's step as native code: all of it in one pass over the vectors."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from dslc.ir.graph import Graph
from runtime.device import Array
from runtime.kernels.native.cache import objects_of
from runtime.kernels.native.emit import Emitter
from runtime.kernels.native.layout import plain
from runtime.kernels.native.machine import Library, host
from runtime.kernels.native.pieces import UNNAMED, named
from runtime.kernels.native.scope import Kernel
from runtime.kernels.native.team import Function
from runtime.loops.whole import whole_nest
from runtime.workers import Workers

if TYPE_CHECKING:
    from runtime.update import Piece, Update

MAIN = "update"  # the function's name


def native_parts(update: Update, parts: Sequence[Sequence[Piece]]) -> list[list[Callable[[], object]]]:
    """One call that updates the pieces of each part on a thread of its own, where they lie in `update.arrays`.

    Raises NoNest where a rule cannot be said in a nest.
    """
    rules = {piece.rule: piece for part in parts for piece in part}
    kernels = {rule: named(kernel_of(update.graph(piece))) for rule, piece in rules.items()}
    modules = {kernel.name: text for kernel, text in kernels.values()}
    main = main_text([[kernels[piece.rule][0] for piece in part] for part in parts])
    library = Library(objects_of([*modules.values(), main], host(), len(parts)), [MAIN])
    arrays, sizes = [], []
    for piece in (piece for part in parts for piece in part):
        kernel, found = kernels[piece.rule][0], update.inputs(piece)
        arrays += [found[name] for name in kernel.arrays]
        sizes += [size.evaluate({"n": piece.size}) for size in kernel.sizes]
    return [[Job(library, arrays, sizes, update.workers if len(parts) > 1 else None)]]


class Job:
    """A function bound to memory. It keeps the arrays and the code alive. workers: None for the caller's thread alone."""

    def __init__(self, library: Library, arrays: Sequence[Array], sizes: Sequence[int], workers: Workers | None) -> None:
        self.arrays = arrays
        self.pointers = (ctypes.c_void_p * max(len(arrays), 1))(*(array.ctypes.data for array in arrays))
        self.sizes = (ctypes.c_int64 * max(len(sizes), 1))(*sizes)
        self.function = Function(library, MAIN, workers)

    def __call__(self) -> None:
        self.function(0, ctypes.addressof(self.pointers), ctypes.addressof(self.sizes))


def main_text(parts: Sequence[Sequence[Kernel]]) -> str:
    """The function that every thread runs: the kernels of its part one after the other, each over the next arrays and sizes."""
    declared: dict[str, str] = {}
    blocks: list[str] = []
    pointers = sizes = 0
    for thread, part in enumerate(parts):
        blocks.append(f"part{thread}:")
        for kernel in part:
            args = [given(blocks, "ptr", "outside", pointers + number) for number in range(len(kernel.arrays))]
            args += ["i64 0", "i64 0", *(given(blocks, "i64", "sizes", sizes + number) for number in range(len(kernel.sizes)))]
            pointers, sizes = pointers + len(kernel.arrays), sizes + len(kernel.sizes)
            blocks.append(f"  call void @{kernel.name}({', '.join(args)})")
            declared[kernel.name] = f"declare void @{kernel.name}({', '.join(arg.split()[0] for arg in args)})"
        blocks.append("  br label %done")
    cases = " ".join(f"i64 {thread}, label %part{thread}" for thread in range(len(parts)))
    head = f"define void @{MAIN}(ptr %arena, ptr %outside, ptr %sizes, ptr %meeting, i64 %thread, i64 %threads) {{"
    begin = f"  switch i64 %thread, label %done [{cases}]"
    return "\n".join([*declared.values(), head, begin, *blocks, "done:", "  ret void", "}", ""])


def given(lines: list[str], type: str, table: str, number: int) -> str:
    """An argument that is read from a table of the caller's."""
    name = f"%{table}{number}"
    lines += [f"  {name}.at = getelementptr i64, ptr %{table}, i64 {number}", f"  {name} = load {type}, ptr {name}.at"]
    return f"{type} {name}"


def kernel_of(graph: Graph) -> Kernel:
    """One function for vectors of any length, or for a weight as a whole."""
    nest, arrays = whole_nest(graph, {output.name: output.name for output in graph.outputs})
    return Emitter(nest, arrays, plain(arrays), host().width, None).kernel(UNNAMED)
