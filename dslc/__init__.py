"""Networks written as plain text that a compiler checks, trains and turns into ONNX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["DataError", "DivergedError", "DslcError", "InternalError", "Network", "Run", "Spec", "SpecError", "__version__", "load"]

if TYPE_CHECKING:
    from dslc.api import Network, Run, Spec, load
    from dslc.diagnostics import DataError, DivergedError, DslcError, InternalError, SpecError


def __getattr__(name: str) -> Any:
    """The public names load what they need when they are first used, so that `import dslc` stays quick."""
    from importlib import import_module

    if name in ("Network", "Run", "Spec", "load"):
        return getattr(import_module("dslc.api"), name)
    if name in __all__:
        return getattr(import_module("dslc.diagnostics"), name)
    raise AttributeError(f"module 'dslc' has no attribute {name!r}")
