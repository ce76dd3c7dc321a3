"""What a run was made with: versions, processor, BLAS, threads. No user names, host names or folders."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("dslc", "numpy", "lark", "pydantic", "onnx", "cupy")


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
    """Bytes that can be had without swapping, as Linux estimates them, within the limits of the process's control groups.

    None where the system does not tell.
    """
    found = [size for size in (_kilobytes("/proc/meminfo", "MemAvailable:"), *_free_in_groups()) if size is not None]
    return min(found, default=None)


def resident_memory() -> int | None:
    """Bytes of memory that the process has at present; None where the system does not tell."""
    return _kilobytes("/proc/self/status", "VmRSS:")


def _kilobytes(path: str, name: str) -> int | None:
    """A figure of a file of Linux's `/proc`, in bytes."""
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    kilobytes = next((line.split()[1] for line in lines if line.startswith(name)), "")
    return int(kilobytes) * 1024 if kilobytes.isdigit() else None


def _free_in_groups(own: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> Iterator[int]:
    """What each control group (version 2) around the process leaves: its limit less what is used and cannot be given back."""
    try:
        name = next((line[3:] for line in own.read_text().splitlines() if line.startswith("0::")), "")
        folder = root / name.strip("/")
        for group in (folder, *folder.parents):
            if not group.is_relative_to(root):
                return
            if (group / "memory.max").is_file() and (limit := (group / "memory.max").read_text().strip()).isdigit():
                kept = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
                used = int((group / "memory.current").read_text()) - int(kept.get("inactive_file", 0)) - int(kept.get("active_file", 0))
                yield max(0, int(limit) - used)
    except (OSError, ValueError):
        return
