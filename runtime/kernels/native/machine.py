"""From LLVM's text to machine code: llvmlite is loaded here and nowhere else.

`helpers.py` runs this file in processes of their own, so it imports nothing of the project.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import platform
import signal
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, BinaryIO

# The code is written as it shall run: loops, lanes, tiles and what is hoisted. What is left to LLVM is to clean up and to choose registers;
# its whole pipeline takes five times as long for code that is no faster. Blocks are joined first, so that what is combined lies in one.
PASSES = ("always_inliner", "simplify_cfg", "instruction_combine")
LONGEST = 1 << 30  # bytes of a message between processes


@dataclass(frozen=True)
class Target:
    """cpu, features: LLVM's names; width: bytes of a vector register; registers: how many there are."""

    cpu: str
    features: str
    width: int
    registers: int


@lru_cache(maxsize=1)
def llvm() -> Any:
    """`llvmlite.binding`, initialised."""
    binding = importlib.import_module("llvmlite.binding")
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding


@lru_cache(maxsize=1)
def host() -> Target:
    """This machine."""
    binding = llvm()
    features = binding.get_host_cpu_features()
    return target(binding.get_host_cpu_name(), features.flatten(), features)


def fuses() -> bool:
    """Whether this processor has an instruction for a · b + c: without one LLVM calls a function for each."""
    known = llvm().get_host_cpu_features()
    return bool(known.get("fma") or known.get("neon") or platform.machine().lower() in ("aarch64", "arm64"))


def target(cpu: str, features: str, known: dict[str, bool]) -> Target:
    if known.get("avx512f") and known.get("avx512bw") and known.get("avx512vl") and known.get("avx512dq"):
        return Target(cpu, features + ",-prefer-256-bit", 64, 32)
    if known.get("avx2") and known.get("fma"):
        return Target(cpu, features, 32, 16)
    return Target(cpu, features, 16, 32 if known.get("neon") else 16)


@lru_cache(maxsize=4)
def target_machine(goal: Target) -> Any:
    binding = llvm()
    return binding.Target.from_default_triple().create_target_machine(cpu=goal.cpu, features=goal.features, opt=3, reloc="pic", jit=True)


@lru_cache(maxsize=1)
def library_version() -> str:
    """Of llvmlite and of the LLVM in it."""
    return f"llvmlite {importlib.metadata.version('llvmlite')} llvm {'.'.join(map(str, llvm().llvm_version_info))}"


def compile_object(text: str, goal: Target) -> bytes:
    """The object file of a module."""
    binding = llvm()
    module = binding.parse_assembly(text)
    module.verify()
    machine = target_machine(goal)
    passes = binding.create_new_module_pass_manager()
    for name in PASSES:
        getattr(passes, f"add_{name}_pass")()
    passes.run(module, binding.create_pass_builder(machine, binding.create_pipeline_tuning_options(speed_level=1)))
    found: bytes = machine.emit_object(module)
    return found


class Library:
    """Machine code that is loaded: the addresses of functions, as long as it lives."""

    def __init__(self, objects: Sequence[bytes], names: Sequence[str]) -> None:
        binding = llvm()
        self.jit = binding.create_lljit_compiler(target_machine(host()))
        builder = binding.JITLibraryBuilder().add_current_process()
        for item in objects:
            builder.add_object_img(item)
        for name in names:
            builder.export_symbol(name)
        self.tracker = builder.link(self.jit, f"native{id(self)}")
        self.addresses: dict[str, int] = {name: self.tracker[name] for name in names}


# ---- a process that compiles for another one ------------------------------------------------------------------------------------


def send(stream: BinaryIO, data: bytes) -> None:
    """One message: its length, then its bytes."""
    stream.write(struct.pack("<Q", len(data)) + data)
    stream.flush()


def receive(stream: BinaryIO) -> bytes:
    """The next message; empty where the other side has ended, or says something else."""
    head = stream.read(8)
    (length,) = struct.unpack("<Q", head) if len(head) == 8 else (0,)
    data = stream.read(length) if length <= LONGEST else b""
    return data if len(data) == length else b""


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer modules with their objects until there are no more; first comes the target. An interrupt is for the other process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    goal = Target(**json.loads(receive(source)))
    while text := receive(source):
        send(sink, compile_object(text.decode(), goal))


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
