"""Programs for processors with fewer features than this one, run here; and for another family, compiled only."""

from __future__ import annotations

import platform

import pytest

import runtime.native
from runtime.executor import Executor
from runtime.kernels.native import meeting
from runtime.kernels.native.machine import PASSES, Target, host, llvm
from runtime.kernels.native.program import make_program
from runtime.native import NativeExecutor
from tests.loops.test_programs import compare, executor, run, step_graph, values

PROCESSORS = {
    "AVX-512": Target("skylake-avx512", "", 64, 32),
    "AVX2": Target("haswell", "", 32, 16),
    "AVX": Target("sandybridge", "", 16, 16),  # no fused products and sums
    "SSE2": Target("x86-64", "", 16, 16),
}
"""By what they have: vectors of 64, 32 and 16 bytes, 32 or 16 registers."""
OTHERS = {
    "aarch64-unknown-linux-gnu": Target("cortex-a76", "", 16, 32),
    "arm64-apple-macosx13": Target("apple-m1", "", 16, 32),
    "x86_64-pc-windows-msvc": Target("haswell", "", 32, 16),
}


@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="a processor of another family")
@pytest.mark.parametrize(("name", "processor"), [("lenet", "AVX-512"), ("lenet", "AVX2"), ("vae", "AVX"), ("vae", "SSE2")])
def test_a_step_for_a_lesser_processor(name: str, processor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    goal = PROCESSORS[processor]
    if goal.width > host().width:
        pytest.skip("this processor has shorter vectors")
    monkeypatch.setattr(runtime.native, "host", lambda: goal)
    graph = step_graph(name)
    given = values(graph, 5)
    compare(
        name,
        given,
        run(executor(NativeExecutor, graph, given, 5, 2), graph, given),
        run(executor(Executor, graph, given, 5, 1), graph, given),
    )


@pytest.mark.parametrize("triple", OTHERS)
def test_a_step_compiles_for_other_families(triple: str) -> None:
    """To an object file; it cannot be run here."""
    binding, goal = llvm(), OTHERS[triple]
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    machine = binding.Target.from_triple(triple).create_target_machine(cpu=goal.cpu, features=goal.features, opt=3, reloc="pic")
    pauses = meeting.PAUSES.get(triple.partition("-")[0], ("", ""))
    for text in make_program(step_graph("vae"), {"batch": 4}, goal, 2).modules:
        for own, other in zip((meeting.PAUSE, meeting.DECLARED), pauses, strict=True):
            text = text.replace(own, other) if own else text
        module = binding.parse_assembly(text)
        module.triple = triple
        module.verify()
        passes = binding.create_new_module_pass_manager()
        for name in PASSES:
            getattr(passes, f"add_{name}_pass")()
        passes.run(module, binding.create_pass_builder(machine, binding.create_pipeline_tuning_options(speed_level=1)))
        assert machine.emit_object(module)
