"""Operators whose nests are written here, by kind; importing this fills the tables of `runtime/loops/lower.py`."""

from runtime.loops.families import convolution, indexing, matrices, norms, pools, randoms, ranking

__all__ = ["convolution", "indexing", "matrices", "norms", "pools", "randoms", "ranking"]
