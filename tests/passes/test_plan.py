"""The plan: reuse, views, writing in place, the contiguous region, scratch, and the verifier's teeth."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dslc.diagnostics import InternalError, SpecError
from dslc.ir.graph import Graph
from dslc.ir.text import from_text
from dslc.ir.types import tensor
from dslc.ops.value import Builder, F
from dslc.passes.plan_memory import Slot, aligned, allocate, by_size, in_time
from dslc.plan import Plan, make_plan
from dslc.plan_check import check_plan


def planned(body: str, contiguous: tuple[str, ...] = (), **dims: int) -> Plan:
    lines = "\n".join(f"  {line.strip()}" for line in body.strip().splitlines())
    plan = make_plan(from_text(f"graph g {{\n{lines}\n}}"), dims or {"n": 100}, contiguous=contiguous)
    check_plan(plan)
    return plan


def in_place(plan: Plan) -> list[int | None]:
    return [step.in_place for step in plan.steps]


def test_a_chain_of_elementwise_steps_needs_one_buffer() -> None:
    plan = planned(
        """%0: f32[n] = data x
        %1: f32[n] = exp(%0) "a"
        %2: f32[n] = exp(%1) "b"
        %3: f32[n] = exp(%2) "c"
        output y = %3"""
    )
    assert in_place(plan) == [None, 0, 0]
    assert plan.arena_bytes == 448 and plan.peak.bytes == 448


def test_inputs_parameters_states_and_constants_are_never_written() -> None:
    plan = planned(
        """%0: f32[n] = data x
        %1: f32[n] = weight w
        %2: f32[n] = state s
        %3: f32[] = constant() {value=1.0, dtype=f32} "one"
        %4: f32[n] = reshape(%1) {shape=(n)} "view"
        %5: f32[n] = exp(%0) "a"
        %6: f32[n] = exp(%4) "b"
        %7: f32[n] = exp(%2) "c"
        %8: f32[] = exp(%3) "d"
        output y = %5
        output z = %6
        output u = %7
        output v = %8"""
    )
    assert in_place(plan) == [None] * 4
    assert [buffer.kind for buffer in plan.buffers] == ["input", "parameter", "state", "constant", "alias", *["arena"] * 4]
    assert plan.buffers[4].of == 1


def test_a_value_with_a_view_that_is_read_later_is_not_overwritten() -> None:
    plan = planned(
        """%0: f32[n] = data x
        %1: f32[n] = exp(%0) "a"
        %2: f32[1, n] = reshape(%1) {shape=(1, n)} "view"
        %3: f32[n] = exp(%1) "b"
        %4: f32[1, n] = exp(%2) "c"
        output y = %3
        output z = %4"""
    )
    assert in_place(plan) == [None, None, 0]
    assert plan.place(2).value == 1 and plan.buffers[2].kind == "alias"


def test_a_value_that_is_used_twice_by_one_step_may_be_overwritten() -> None:
    plan = planned(
        """%0: f32[n, 1] = data x
        %1: f32[n, 1] = exp(%0) "a"
        %2: f32[1, n, 1] = reshape(%1) {shape=(1, n, 1)} "view"
        %3: f32[1, n, 1] = multiply(%1, %2) "b"
        output y = %3"""
    )
    assert in_place(plan) == [None, 1]


def test_broadcast_operands_and_other_dtypes_are_not_overwritten() -> None:
    plan = planned(
        """%0: f32[n, 3] = data x
        %1: f32[1, 3] = data y
        %2: f32[1, 3] = exp(%1) "a"
        %3: f32[n, 3] = multiply(%0, %2) "b"
        %4: i32[n, 3] = cast(%3) {dtype=i32} "c"
        %5: f32[3] = sum(%3) {axis=0, keep=false} "d"
        output y = %4
        output z = %5"""
    )
    assert in_place(plan) == [None, None, None, None]


def test_outputs_and_updates_live_to_the_end() -> None:
    plan = planned(
        """%0: f32[n] = data x
        %1: f32[n] = exp(%0) "a"
        %2: f32[n] = exp(%1) "b"
        %3: f32[n] = exp(%2) "c"
        %4: f32[n] = exp(%3) "d"
        output y = %1
        output z = %4
        update s = %2"""
    )
    assert in_place(plan) == [None, None, None, 0]
    assert len({plan.buffers[id].offset for id in (1, 2, 4)}) == 3


def test_contiguous_outputs_stand_in_order_and_are_never_reused() -> None:
    plan = planned(
        """%0: f32[n] = weight w
        %1: f32[3] = weight v
        %2: f32[3] = exp(%1) "a"
        %3: f32[n] = exp(%0) "b"
        %4: f32[1, n] = reshape(%3) {shape=(1, n)} "view"
        %5: f32[n] = exp(%3) "c"
        output grad:u = %5
        output grad:v = %2
        output grad:w = %4
        output grad:x = %3
        output grad:y = %0""",
        contiguous=("grad:w", "grad:v", "grad:x", "grad:y"),
    )
    offsets = [plan.place(plan.graph.output(name)).offset for name in plan.contiguous]
    assert offsets == [0, 448, 512, 960]
    assert plan.gradients == 1408
    assert [node.address for node in plan.graph.nodes[-2:]] == ["grad:x.copy", "grad:y.copy"]


def test_an_update_is_never_the_memory_of_a_state() -> None:
    plan = planned(
        """%0: f32[n] = state a
        %1: f32[n] = state b
        %2: f32[n] = reshape(%0) {shape=(n)} "view"
        output y = %0
        update a = %1
        update b = %2"""
    )
    assert {plan.place(item.id).kind for item in plan.graph.updates} == {"arena"}


def test_scratch_is_free_during_its_step_only() -> None:
    builder = Builder("g")
    x = builder.input("data", "x", tensor("f32", "n"))
    builder.output("y", F.sum(F.exp(F.sum(x, keep=True) + x)))
    plan = make_plan(builder.build(), {"n": 16}, scratch=lambda node, inputs, outputs, dims: 1000 if node.op == "sum" else 0)
    check_plan(plan)
    assert [step.scratch_bytes for step in plan.steps] == [1000, 0, 0, 1000]
    assert plan.arena_bytes == 1024 + 64 + 64


def test_the_peak_names_what_is_live() -> None:
    plan = planned(
        """%0: f32[n] = data x
        %1: f32[n] = exp(%0) "a"
        %2: f32[n] = sum(%1) {axis=(), keep=false} "b"
        %3: f32[] = sum(%1) {axis=none, keep=false} "c"
        %4: f32[n] = multiply(%2, %3) "d"
        output y = %4"""
    )
    assert (plan.peak.step, plan.peak.bytes, plan.peak.live) == (2, 448 + 448 + 64, (1, 2, 3))


def test_smaller_sizes_fit_and_larger_do_not() -> None:
    plan = planned('%0: f32[n] = data x\n%1: f32[n] = exp(%0) "a"\noutput y = %1', n=8)
    assert plan.fits({"n": 8}) and plan.fits({"n": 1})
    assert not plan.fits({"n": 9}) and not plan.fits({"n": 0}) and not plan.fits({})


def test_what_cannot_run_is_refused_with_its_place() -> None:
    text = 'graph g {\n  %0: f32[n] = data x\n  %1: f32[n] = scan(%0) "scan0" @net.nn:3:1 body graph b {\n  }\n  output y = %1\n}'
    with pytest.raises(SpecError, match=r"`scan` at net\.nn:3:1 cannot be run yet"):
        make_plan(from_text(text), {"n": 3})


def test_a_size_without_value_is_refused() -> None:
    with pytest.raises(InternalError, match="the size n has no value"):
        make_plan(from_text("graph g {\n  %0: f32[n] = data x\n  output y = %0\n}"), {})


# ---- the allocation -------------------------------------------------------------------------------------------------------------

lives = st.tuples(st.integers(1, 2000), st.integers(0, 20), st.integers(0, 8)).map(lambda t: (t[0], t[1], t[1] + t[2]))


@pytest.mark.parametrize("search", [in_time, by_size, None])
@settings(max_examples=100, deadline=None)
@given(items=st.lists(lives, max_size=40), base=st.sampled_from([0, 64, 640]))
def test_slots_that_live_together_do_not_overlap(search: Any, items: list[tuple[int, int, int]], base: int) -> None:
    slots = [Slot(*item) for item in items]
    end = allocate(slots, base) if search is None else base + search(slots, base)
    for at, slot in enumerate(slots):
        assert slot.offset >= base and slot.offset % 64 == 0 and slot.offset + slot.bytes <= end
        for other in slots[:at]:
            if slot.first <= other.last and other.first <= slot.last:
                assert slot.offset + slot.bytes <= other.offset or other.offset + other.bytes <= slot.offset
    most = max((sum(aligned(s.bytes) for s in slots if s.first <= step <= s.last) for step in range(30)), default=0)
    assert most <= end - base <= sum(aligned(slot.bytes) for slot in slots)


# ---- the verifier ---------------------------------------------------------------------------------------------------------------


def sample() -> Graph:
    return from_text(
        """graph g {
        %0: f32[n] = data x
        %1: f32[n] = exp(%0) "a"
        %2: f32[n] = exp(%1) "b"
        %3: f32[n] = add(%1, %2) "c"
        %4: f32[1, n] = reshape(%3) {shape=(1, n)} "d"
        output y = %4
        output grad:w = %2
        }"""
    )


def broken(plan: Plan, value: int, **changes: Any) -> Plan:
    buffers = list(plan.buffers)
    buffers[value] = buffers[value].model_copy(update=changes)
    return plan.model_copy(update={"buffers": tuple(buffers)})


def test_the_verifier_finds_every_seeded_fault() -> None:
    plan = make_plan(sample(), {"n": 100}, contiguous=("grad:w",))
    check_plan(plan)
    steps = plan.steps
    faults = [
        broken(plan, 1, offset=0),  # into the region
        broken(plan, 2, offset=448),
        broken(plan, 3, offset=128),
        broken(plan, 1, offset=449),
        broken(plan, 1, offset=plan.arena_bytes),
        broken(plan, 1, bytes=4),
        broken(plan, 4, of=2),
        broken(plan, 4, kind="arena", of=None, offset=448),
        plan.model_copy(update={"gradients": 0}),
        plan.model_copy(update={"arena_bytes": 64}),
        plan.model_copy(update={"steps": steps[1:]}),
        plan.model_copy(update={"steps": (steps[0], steps[1].model_copy(update={"in_place": 0}), steps[2])}),
        plan.model_copy(update={"steps": (*steps[:2], steps[2].model_copy(update={"scratch": 448, "scratch_bytes": 64}))}),
    ]
    for fault in faults:
        with pytest.raises(InternalError):
            check_plan(fault)


def test_a_large_graph_is_compiled_in_seconds() -> None:
    """10,000 nodes; the time is bounded loosely, against quadratic steps (which take minutes)."""
    from time import perf_counter

    from dslc.ir.text import to_text
    from dslc.ir.verify import verify
    from dslc.passes.differentiate import differentiate
    from dslc.passes.pipeline import optimize

    builder = Builder("deep")
    x = w = builder.input("weight", "w", tensor("f32", 8))
    for _ in range(1700):
        x = F.tanh(x * w) + x * 0.5
    builder.output("loss", F.sum(x))
    start = perf_counter()
    graph = differentiate(builder.build(), "loss", ("w",))
    assert len(graph.nodes) > 10_000
    graph = optimize(graph)
    check_plan(make_plan(graph, {}, contiguous=("grad:w",)))
    assert from_text(to_text(graph)) == graph
    verify(graph)
    assert perf_counter() - start < 60


def test_transposed_operands_of_products_are_views() -> None:
    plan = planned(
        """%0: f32[n, 3] = data x
        %1: f32[n, 3] = exp(%0) "a"
        %2: f32[3, n] = transpose(%1) {axes=(1, 0)} "b"
        %3: f32[3, 3] = matmul(%2, %1) "c"
        %4: f32[3, n] = transpose(%0) {axes=none} "d"
        %5: f32[3, n] = exp(%4) "e"
        output y = %3
        output z = %5"""
    )
    assert [plan.graph.nodes[step.node].address for step in plan.steps] == ["a", "c", "d", "e"]
    view = plan.buffers[2]
    assert (view.kind, view.of, view.source, view.order, view.last) == ("alias", 1, 1, (1, 0), 1)
    assert plan.buffers[4].order is None
