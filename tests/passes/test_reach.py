"""Which values a loss has a gradient to: by the paths that lead to it, not by what stands beside them."""

from __future__ import annotations

from dslc.ir.types import tensor
from dslc.ops.value import Builder, F
from dslc.passes.reach import reached


def test_only_what_leads_to_the_loss_by_a_differentiable_path() -> None:
    b = Builder("g")
    near, far, beside, behind, stopped = (
        b.input("weight", name, tensor("f32", 3)) for name in ("near", "far", "beside", "behind", "stopped")
    )
    index = b.input("data", "index", tensor("i64", 3))
    F.sum(F.exp(beside))
    middle = F.exp(far) * near
    loss = F.sum(middle + F.stop_gradient(stopped) + F.gather(near, index, axis=0))
    F.sum(behind * loss)
    found = reached(b.nodes, b.types, loss.id)
    assert found >= {value.id for value in (near, far, middle, loss)}
    assert not found & {value.id for value in (beside, behind, stopped, index)}
