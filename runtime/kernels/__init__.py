"""Kernels by device: `registry_of("numpy")`."""

from __future__ import annotations

from functools import cache

from runtime.kernels.registry import Registry


@cache
def registry_of(device: str) -> Registry:
    """The kernels of a device, loaded when first asked for."""
    if device == "cuda":
        from runtime.kernels.cuda import table
    else:
        from runtime.kernels.numpy import table  # type: ignore[no-redef]

    return table.registry()
