"""Where the arena places its slots: the smallest gap, free neighbours joined, large slots first; and the text of a plan."""

from __future__ import annotations

import pytest

from dslc.ir.text import from_text
from dslc.passes.plan_memory import Free, Slot, best_gap, by_size, in_time, peak
from dslc.plan import make_plan, plan_lines

# (bytes, first, last) of each slot, and its offset
LARGEST_FIRST = ([(64, 0, 3), (128, 2, 5), (640, 0, 1), (576, 2, 3)], [704, 576, 0, 0], 768)
OF_ONE_SIZE = ([(64, 1, 2), (64, 0, 1), (64, 2, 3)], [64, 0, 0], 128)
IN_TIME = ([(64, 0, 0), (640, 0, 1), (64, 1, 2), (640, 2, 3)], [640, 0, 640, 0], 704)


@pytest.mark.parametrize(("search", "lives", "offsets", "size"), [(by_size, *LARGEST_FIRST), (by_size, *OF_ONE_SIZE), (in_time, *IN_TIME)])
def test_a_search_places_its_slots(search: object, lives: list[tuple[int, int, int]], offsets: list[int], size: int) -> None:
    for base in (0, 128):
        slots = [Slot(*life) for life in lives]
        assert search(slots, base) == size  # type: ignore[operator]
        assert [slot.offset - base for slot in slots] == offsets


@pytest.mark.parametrize(("size", "offset"), [(64, 256), (128, 0), (192, 0), (256, 384)])
def test_the_smallest_gap_that_is_large_enough(size: int, offset: int) -> None:
    """Two slots leave gaps of 192 and 64 bytes; the third lives at another time."""
    placed = [(0, 2, Slot(640, 7, 9)), (192, 0, Slot(64, 0, 3)), (320, 1, Slot(60, 2, 4))]
    assert best_gap(placed, Slot(size, 3, 6), size, 0) == offset


def test_the_first_of_two_equal_gaps() -> None:
    placed = [(64, 0, Slot(64, 0, 3)), (192, 1, Slot(64, 0, 3))]
    assert best_gap(placed, Slot(64, 0, 0), 64, 0) == 0


def test_free_neighbours_are_joined() -> None:
    free = Free()
    assert [free.take(size) for size in (64, 128, 64)] == [0, 64, 192]
    free.give(64, 128)
    assert free.take(64) == 64 and free.pieces == [(128, 64)]
    free.give(64, 64)
    assert free.pieces == [(64, 128)], "with the piece behind it"
    free.give(192, 64)
    assert free.pieces == [(64, 192)], "with the piece before it"
    free.give(0, 32)
    assert free.pieces == [(0, 32), (64, 192)], "there is a gap between them"
    assert (free.take(256), free.top) == (64, 320), "it grows from its last piece"
    assert (free.take(64), free.top, free.pieces) == (320, 384, [(0, 32)])


def test_the_peak_is_the_first_step_at_which_most_is_live() -> None:
    slots = [Slot(100, 0, 1), Slot(64, 1, 2), Slot(128, 2, 4), Slot(64, 4, 4)]
    assert peak(slots, 5) == (1, 192)
    assert peak([], 3) == (0, 0)


def test_the_text_of_a_plan() -> None:
    graph = from_text(
        """graph g {
        %0: f32[n, 3] = data x
        %1: f32[n, 3] = exp(%0) "a"
        %2: f32[n, 3] = tanh(%1) "b"
        %3: f32[3, n] = transpose(%2) {axes=(1, 0)} "c"
        %4: f32[3, 3] = matmul(%3, %2) "d"
        %5: f32[] = sum(%4) {axis=none, keep=false} "e"
        output y = %5
        output z = %0
        }"""
    )
    assert list(plan_lines(make_plan(graph, {"n": 8}))) == TEXT.splitlines()


TEXT = """plan g for n=8
arena 192 bytes; 192 are live at step 2
outside
  %0 f32[n, 3] 96 bytes: data x
steps
  0: %1@0 f32[n, 3] = exp(%0) a
  1: %2@0 f32[n, 3] = tanh(%1@0) over input 0 b
  2: %4@128 f32[3, 3] = matmul(%3=%2ᵀ@0, %2@0) d
  3: %5@0 f32[] = sum(%4@128) e
outputs
  y = %5@0
  z = %0
live at step 2
  %2 f32[n, 3] 96 bytes
  %4 f32[3, 3] 36 bytes"""
