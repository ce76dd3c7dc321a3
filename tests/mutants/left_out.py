"""Where no fault is planted: what is not of the subject, and what changes no result."""

from __future__ import annotations

import ast

SAMPLES = ("SHAPES", "BATCHES", "BORDERS", "ROLLS", "_SAMPLE")  # what samples are made of
SAMPLERS = ("unary", "binary", "ints", "booleans", "away", "several", "targets")  # what makes samples of operators
WORK = (
    *("CHUNK", "CHUNK_BYTES", "BLOCK", "BLOCK_BYTES", "BLOCK_COLUMNS", "LINE", "NARROW", "MUCH_WIDER", "GREEDY_LIMIT"),
    *("CACHE", "SHARED", "FAR", "LONG", "UNTILED", "COPIED", "CHEAP", "STRIP", "UNROLLED", "DEEP", "PANEL"),  # of machine code
)
COSTS = ("cost", "costs")  # what ways are compared by
AT_ONCE = ("block_images", "channels_at_once", "images_at_once")  # functions that say how much is done at once
CHOICES = {  # functions of the generator of machine code that say which of several right ways is the cheapest
    "tile_cost": "cycles of a tile of a shape",
    "best_tile": "how many rows and vectors: sums are the same in every tile that fits into the registers",
    "tiles": "the shapes that fit into the registers: of others the compiler puts parts into memory",
    "tally": "the sizes of the pieces of an axis, for the count of cycles",
    "rank": "which loop is inside of which",
    "large_sum": "whether a sum is made by each thread for itself, or cut along its result",
    "chunk": "how many samples go through a phase at once",
    "sample": "the bytes of one, for that",
    "stripped": "which axis is gone through in lines of the cache",
}


def left_out(node: ast.AST) -> bool:
    """What is not of the subject: samples of tests, imports, words of messages, types, decorators, what only type checkers read."""
    if isinstance(node, ast.FunctionDef):
        result = ast.unparse(node.returns) if node.returns else ""
        return result in ("Sampler", "list[Case]") or any(arg.arg == "rng" for arg in node.args.args) or node.name in (*AT_ONCE, *CHOICES)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id in (*SAMPLERS, *AT_ONCE) or node.func.id.endswith("_cases") or sizes_work(node)
    if isinstance(node, ast.keyword):
        return node.arg in ("sample", "doc", "example", "grain", "chunk")
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    if isinstance(node, ast.Assign | ast.AnnAssign):
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        return node.value is None or (isinstance(target, ast.Name) and target.id in (*SAMPLES, *WORK))
    return isinstance(node, ast.Import | ast.ImportFrom | ast.Raise | ast.Assert | ast.JoinedStr) or sizes_work(node)


def sizes_work(node: ast.AST) -> bool:
    """What changes no result: how much is done at once and by which of two ways, and what stands for a constant that another system lacks.

    A number made of one of the names in `WORK` is such, or a comparison with it; so are the functions `AT_ONCE` and `CHOICES`, the keywords
    `grain` and `chunk` of a `Split`, and what a cost is made of. That memory of such a size is large enough is not: it is planted where the
    memory is asked for.
    """
    if isinstance(node, ast.Call):
        text = ast.unparse(node)
        return text.startswith("getattr(os, ") or (text.startswith(("min(", "max(")) and names_work(node))
    if isinstance(node, ast.AugAssign):
        return isinstance(node.target, ast.Name) and node.target.id in COSTS
    return isinstance(node, ast.BinOp | ast.Compare | ast.Slice) and names_work(node)


def names_work(node: ast.AST) -> bool:
    return any(isinstance(part, ast.Name) and part.id in (*WORK, *COSTS) for part in ast.walk(node))
