"""One training as machine code: all that the product runs, on the cpu device, and its gradient graphs with marks around every array.

Compared with the plain interpreter are the compiled step, evaluation, prediction and the network alone, as in `runs`; the gradient graph
by itself with 1, 2 and 3 threads, for the planned batch, a smaller one and one sample; and the part of it that computes with whole
numbers, in every bit, in both precisions. An empty batch is refused.
"""

from __future__ import annotations

from functools import cache

from dslc.interpret import bind_dims
from dslc.ir.graph import Graph
from dslc.ir.types import DType
from dslc.passes.drop_dead import drop_dead, losses_only
from dslc.passes.pipeline import optimize
from dslc.program import Program
from runtime.workers import Workers
from tests.loops.marked import Marked
from tests.reliability.campaign import Tally
from tests.soundness.rounding import Reference
from tests.soundness.runs import Examined, must_refuse, reference_of
from tests.soundness.specs import Spec
from tests.soundness.ways import gradients

THREADS = (1, 2, 3)
LARGEST = (3, 7)  # samples that a program is planned for; it always runs over 3, and over one of these
OTHERS = {3: (1, 2), 7: (1, 7)}
FEWER = 4  # every so many cases one is planned for fewer samples than threads
EMPTY = (0, 0)


@cache
def workers(threads: int) -> Workers | None:
    return Workers(threads) if threads > 1 else None


class OnMachine(Examined):
    """`run` says whether the loss and a gradient were compared and say something."""

    def __init__(self, program: Program, spec: Spec, tally: Tally, seed: int = 0) -> None:
        super().__init__(program, spec, tally, seed, "cpu", THREADS[seed % len(THREADS)])

    def run(self) -> bool:
        trusted = super().run()
        if self.precision is DType.f32:
            self.whole_numbers(drop_dead(losses_only(self.training.steps[0].graph)))
        return trusted

    def rewritten_steps(self, forward: Graph, wrt: tuple[str, ...], reference: Reference) -> None:
        """The gradient graph by itself."""
        graph = optimize(reference.graph)
        for threads in THREADS:
            most = LARGEST[(self.seed + threads) % len(LARGEST)]
            made = self.marked(graph, reference, threads, most)
            self.trusted |= self.compare(f"{threads} threads", reference, made.run(reference.arrays))
            self.other_size(made, reference.graph, OTHERS[most][self.seed // 2 % 2])
        if self.seed % FEWER == 0:
            self.other_size(self.marked(graph, reference, 3, 2), reference.graph, 2)

    def marked(self, graph: Graph, reference: Reference, threads: int, samples: int) -> Marked:
        dims = bind_dims(graph, reference.arrays)
        if "batch" in dims:
            dims["batch"] = samples
        return Marked(graph, dims, workers(threads), gradients(graph))

    def other_size(self, made: Marked, graph: Graph, samples: int) -> None:
        """Over so many samples; over none it is refused."""
        if "batch" not in graph.dims:
            return
        arrays = self.inputs(graph, self.batch(0, samples))
        reference = reference_of(graph, arrays)
        if reference is None:
            must_refuse(lambda: made.run(arrays))
        else:
            self.compare(f"{samples} samples", reference, made.run(arrays))
        must_refuse(lambda: made.run(self.inputs(graph, self.batch(*EMPTY))))

    def whole_numbers(self, graph: Graph) -> None:
        """What computes with whole numbers, with its gradients: equal in every bit."""
        reference = self.over_whole_numbers(graph)
        if reference is None:
            return
        graph, arrays, plan = reference.graph, reference.arrays, optimize(reference.graph)
        threads = THREADS[(self.seed + 1) % len(THREADS)]
        made = Marked(plan, bind_dims(plan, arrays), workers(threads), gradients(plan))
        trusted = self.compare(f"whole numbers, {threads} threads", reference, made.run(arrays))
        for node in graph.nodes:
            if reference.exact.issuperset(node.outputs):
                self.tally.note("operators over whole numbers", node.op)
        if any(reference.is_exact(name) for name in trusted if name.startswith("grad:")):
            self.tally.count("with gradients over whole numbers")
