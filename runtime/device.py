"""Devices: where arrays live and which namespace computes on them. CuPy is imported here and nowhere else, and only when asked for."""

from __future__ import annotations

import importlib
import importlib.util
import mmap
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from dslc.diagnostics import SpecError
from runtime.errors import MissingDevice, UnknownDevice

Array = Any
ALIGNMENT = 64  # bytes: one cache line, one AVX-512 register
OWN_PAGES = 1 << 20  # bytes from which on a block is memory that nobody has used: it counts when written to, and goes when freed


class Device(Protocol):
    """What an executor needs of a device.

    name: "numpy", "cpu" or "cuda"; xp: its array namespace; kernels: the key of its table of tuned kernels;
    threaded: whether steps may be cut into parts that run on several threads of this process.
    """

    name: str
    xp: Any
    threaded: bool

    def empty(self, count: int) -> Array:
        """`count` bytes (u8), 64-byte aligned, not initialised."""
        ...

    def to_device(self, target: Array, source: Any) -> None:
        """Copy a NumPy array into `target` on the device."""
        ...

    def to_host(self, source: Array) -> Any:
        """A NumPy copy of a device array."""
        ...

    def as_host(self, source: Array) -> Any:
        """A NumPy array of what lies there now: itself where the device computes in this memory, else a copy."""
        ...

    def synchronize(self) -> None:
        """Wait until everything that was asked for is done."""
        ...


def pages(count: int) -> mmap.mmap:
    """Memory of its own from the system, in large pages where it has them. Raises MemoryError."""
    try:
        found = mmap.mmap(-1, count, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except (OSError, OverflowError, ValueError) as error:
        raise MemoryError(f"unable to allocate {count:,} bytes") from error
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # a system without them
            found.madvise(mmap.MADV_HUGEPAGE)
    return found


class NumpyDevice:
    """The reference device: always there."""

    name = "numpy"
    threaded = True

    def __init__(self) -> None:
        import numpy

        self.xp: Any = numpy

    def empty(self, count: int) -> Array:
        if count >= OWN_PAGES and hasattr(mmap, "MAP_ANONYMOUS"):
            return self.xp.frombuffer(pages(count), self.xp.uint8)
        raw = self.xp.empty(count + ALIGNMENT, self.xp.uint8)
        start = -raw.ctypes.data % ALIGNMENT
        return raw[start : start + count]

    def to_device(self, target: Array, source: Any) -> None:
        self.xp.copyto(target, source, casting="no")

    def to_host(self, source: Array) -> Any:
        return self.xp.array(source)

    def as_host(self, source: Array) -> Any:
        return source

    def synchronize(self) -> None:
        return None


class CpuDevice(NumpyDevice):
    """NumPy's arrays, and machine code that is made for each graph (`runtime/native.py`)."""

    name = "cpu"

    def __init__(self) -> None:
        super().__init__()
        missing = no_machine_code()
        if missing:
            raise SpecError(MissingDevice(device="cpu", reason=missing, action=INSTALL))


INSTALL = "`pip install llvmlite`"


def no_machine_code() -> str:
    """Why the cpu device cannot be had here, "" if it can."""
    if importlib.util.find_spec("llvmlite") is None:
        return "llvmlite is not installed"
    from runtime.kernels.native.machine import llvm

    try:
        llvm()
    except (ImportError, OSError, RuntimeError) as error:
        return f"llvmlite cannot be loaded ({str(error).strip().partition(chr(10))[0][:120]})"
    return ""


def slow_machine_code() -> str:
    """Why NumPy is the better device here although machine code could be made, "" if it is not."""
    from runtime.kernels.native.machine import fuses, host

    if os.name == "nt":
        return "on Windows machine code runs in one thread only"
    return "" if fuses() else f"the processor ({host().cpu}) has no fused multiply-add that LLVM knows of"


class CudaDevice:
    """The same rows with CuPy as their namespace. CuPy's allocations are 512-byte aligned."""

    name = "cuda"
    threaded = False

    def __init__(self, cupy: Any) -> None:
        self.xp: Any = cupy

    def empty(self, count: int) -> Array:
        return self.xp.empty(count, self.xp.uint8)

    def to_device(self, target: Array, source: Any) -> None:
        target[...] = self.xp.asarray(source)

    def to_host(self, source: Array) -> Any:
        return self.xp.asnumpy(source)

    def as_host(self, source: Array) -> Any:
        return self.to_host(source)

    def synchronize(self) -> None:
        self.xp.cuda.get_current_stream().synchronize()


def refuse_shared_cache() -> None:
    """CuPy runs the kernels that it finds in its cache: SpecError where others can put them there."""
    folder = Path(os.environ.get("CUPY_CACHE_DIR") or "~/.cupy/kernel_cache").expanduser()
    try:
        state = folder.stat()
    except OSError:
        return  # CuPy makes it
    if hasattr(os, "getuid") and (state.st_mode & 0o002 or state.st_uid not in (0, os.getuid())):
        reason = f"others can write into CuPy's cache of kernels, {folder}"
        raise SpecError(MissingDevice(device="cuda", reason=reason, action="let CUPY_CACHE_DIR name a folder of your own"))


def load_cupy() -> Any:
    """CuPy, if it is installed and sees a GPU; SpecError with what to install otherwise."""
    refuse_shared_cache()
    if importlib.util.find_spec("cupy") is None:
        raise SpecError(MissingDevice(device="cuda", reason="CuPy is not installed", action='`pip install "dslc[cuda12]"`'))
    cupy = importlib.import_module("cupy")
    try:
        count = int(cupy.cuda.runtime.getDeviceCount())
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise SpecError(MissingDevice(device="cuda", reason=f"CUDA says: {error}", action="look at the driver with `nvidia-smi`")) from None
    if count < 1:
        raise SpecError(MissingDevice(device="cuda", reason="no GPU is visible", action="look at CUDA_VISIBLE_DEVICES and `nvidia-smi`"))
    return cupy


def has_cuda() -> bool:
    try:
        load_cupy()
    except SpecError:
        return False
    return True


def available_devices() -> tuple[str, ...]:
    """The devices of this machine, the reference first."""
    return ("numpy", "cuda") if has_cuda() else ("numpy",)


DEVICES = {"numpy": NumpyDevice, "cpu": CpuDevice, "cuda": lambda: CudaDevice(load_cupy())}


def training_device(name: str | None, earlier: str | None = None) -> tuple[str, str]:
    """The device of a training, and a sentence where that is not what one expects.

    name: as it was asked for; None: what `DSLC_DEVICE` says, or the device of the run that is continued (`earlier`), or the cpu device, and
    NumPy where that cannot be had or is slower. "auto": cuda where it is available, else as None.
    """
    name = name or os.environ.get("DSLC_DEVICE") or None
    if name == "auto":
        name = "cuda" if has_cuda() else None
    if name is not None:
        return name, ""
    if earlier in ("numpy", "cuda"):
        return earlier, ""
    missing = no_machine_code()
    if missing:
        return "numpy", f"training runs on NumPy: {missing}; {INSTALL} makes it several times as fast"
    slow = slow_machine_code()
    return ("numpy", f"training runs on NumPy: {slow}") if slow else ("cpu", "")


def get_device(name: str) -> Device:
    """The device called `name`; "auto" is "cuda" where it is available, else "numpy". SpecError if it cannot be had."""
    if name == "auto":
        name = available_devices()[-1]
    if name not in DEVICES:
        raise SpecError(UnknownDevice(device=name))
    device: Device = DEVICES[name]()
    return device
