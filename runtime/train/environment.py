"""What a run was made with: versions, processor, BLAS, threads. No user names, host names or folders."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("dslc", "numpy", "safetensors", "lark", "pydantic", "onnx", "cupy")


def environment(device: str, threads: int | None) -> dict[str, Any]:
    """The contents of `env.json`."""
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": _processor(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "blas": _blas(),
        "device": device,
        "threads": threads,
    }


def fingerprint(device: str, threads: int | None) -> dict[str, Any]:
    """The part that can change the bits of a result; a checkpoint carries it."""
    whole = environment(device, threads)
    kept = {key: whole[key] for key in ("machine", "processor", "blas", "device", "threads")}
    return {**kept, "numpy": whole["packages"].get("numpy", "")}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _blas() -> list[dict[str, Any]]:
    """Name, version and threads of the BLAS libraries that are loaded."""
    import numpy  # noqa: F401 -- loads its BLAS
    from threadpoolctl import threadpool_info

    found = [info for info in threadpool_info() if info.get("user_api") == "blas"]
    keys = ("internal_api", "version", "architecture", "num_threads")
    return [{key: info.get(key) for key in keys} for info in found]


def _processor() -> str:
    """The model of the processor as Linux names it; elsewhere its kind. `platform.processor` would start a program."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def free_memory() -> int | None:
    """Bytes that can be had without swapping, as Linux estimates them; None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    kilobytes = next((line.split()[1] for line in lines if line.startswith("MemAvailable:")), "")
    return int(kilobytes) * 1024 if kilobytes.isdigit() else None
