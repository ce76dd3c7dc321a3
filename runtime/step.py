"""A compiled training: forward, backward, the finite check, the update, and evaluation, over one set of parameters.

    backward → Status (loss, gradient norm, finite?) → apply (update of weights and states)

The status comes before the update, so that a step that is not finite changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Any

import numpy as np

from dslc.diagnostics import DataError, Diagnostic, DivergedError, SpecError
from dslc.ir.errors import NotRunnable
from dslc.ir.graph import Graph
from dslc.ops.table import lookup
from dslc.passes.accumulate import accumulate
from dslc.passes.differentiate import differentiate
from dslc.passes.pipeline import optimize
from dslc.program import Network, Program, Training
from dslc.usage import BadArgument
from runtime.device import get_device
from runtime.errors import BadField, CannotRun, Diverged
from runtime.joined import join
from runtime.memory import check_memory, enough_memory
from runtime.parameters import Flat, Parameters
from runtime.runner import Runner, fields_of, refuse_unknown
from runtime.train.optimizers import OPTIMIZERS, update_graph
from runtime.update import FlatUpdate
from runtime.workers import Workers, calculating, default_threads

Arrays = dict[str, np.ndarray]
Fields = Mapping[str, Any]


@dataclass(frozen=True)
class Status:
    """What a backward pass found. losses: by name, "" is the unnamed one; grad_norm: of all gradients together."""

    loss: float
    losses: dict[str, float]
    grad_norm: float
    finite: bool


def compile_step(
    program: Program,
    *,
    training: str | None = None,
    device: str = "numpy",
    batch_size: int | None = None,
    seed: int = 0,
    threads: int | None = None,
    keep_grads: bool = False,
) -> Step:
    """Compile one training of a program for a device, its parameters initialised from `seed`.

    training: its name, not needed where there is one. batch_size: what is planned for (default: the spec's); larger batches plan anew.
    threads: of the numpy device, default all processors. keep_grads: `grads()` may be called after a backward pass.
    Raises SpecError for what can be checked but not run.
    """
    chosen = choose(program, training)
    check_runnable(program, chosen)
    with enough_memory():
        return Step(program, chosen, device=device, batch_size=batch_size, seed=seed, threads=threads, keep_grads=keep_grads)


def choose(program: Program, name: str | None) -> Training:
    """The training of this name, or the only one."""
    if name is None and len(program.trainings) == 1:
        return next(iter(program.trainings.values()))
    if name not in program.trainings:
        known = ", ".join(f"`{known}`" for known in program.trainings) or "none"
        raise SpecError(CannotRun(what=f"the training `{name or ''}`", where=f"{program.path} has {known}"))
    return program.trainings[name]


def check_runnable(program: Program, training: Training) -> None:
    """SpecError for what stands in the language but does not run yet."""
    found = []
    if len(training.steps) != 1:
        found.append(f"a training of {len(training.steps)} steps")
    found += [f"`times` of step `{step.name}`" for step in training.steps if step.times != 1]
    found += [f"the optimizer `{step.optimizer.name}`" for step in training.steps if step.optimizer.name not in OPTIMIZERS]
    found += [f'the rule "{rule.pattern}"' for rule in training.rules]
    if training.start is not None:
        found.append("the setting `start`")
    if training.clip is not None and training.clip.name != "norm":
        found.append(f"the clip `{training.clip.name}`")
    where = training.place or program.path
    faults: list[Diagnostic] = [CannotRun(what=what, where=where) for what in found]
    faults += [CannotRun(what=f"a state of the shape {item.type}", where=item.place) for item in training.states if item.type.names]
    graphs = (*(step.graph for step in training.steps), training.evaluate, training.predict)
    faults += [NotRunnable(operator=name, place=place) for name, place in signature_only(graphs).items()]
    if faults:
        raise SpecError(faults)


def signature_only(graphs: Iterable[Graph]) -> dict[str, str]:
    """Operators that stand by their signature, with the place of their first use."""
    found: dict[str, str] = {}
    for graph in graphs:
        for node in graph.nodes:
            if node.body is not None or lookup(node.op).eval is None:
                found.setdefault(node.op, node.place or node.address)
    return found


class Step:
    """One training, compiled. Arrays come and go by copy; `parameters()` and `load()` know weights and states by address."""

    def __init__(
        self,
        program: Program,
        training: Training,
        *,
        device: str,
        batch_size: int | None,
        seed: int,
        threads: int | None,
        keep_grads: bool,
    ) -> None:
        self.program, self.training = program, training
        self.device = get_device(device)
        self.seed = seed
        self.keep_grads = keep_grads
        self.batch_size = batch_size or training.batch_size
        self.workers = Workers(threads or default_threads()) if self.device.threaded else None
        self.program_step = training.steps[0]
        self.trained = self.program_step.trains
        self.plan_for = {"batch": self.batch_size}
        self.differentiated = differentiate(losses_only(self.program_step.graph), "loss", self.trained)
        graph = optimize(self.differentiated)
        if self.device.threaded:
            check_memory(training, graph, self.plan_for, [f"grad:{name}" for name in self.trained])
        self.memory = Parameters(self.device, training.weights, training.states, self.trained, seed)
        self.train_runner = self.runner(graph, tuple(f"grad:{name}" for name in self.memory.order))
        self.updates = [self.optimizer(flat) for flat in self.memory.flats]
        self.runners: dict[str, Runner] = {}
        self.done = 0
        self.rate = float(self.program_step.optimizer.args["rate"])  # type: ignore[arg-type]
        self.results: dict[str, Any] = {}
        self.status: Status | None = None

    # ---- parts ------------------------------------------------------------------------------------------------------------------

    def runner(self, graph: Graph, contiguous: Sequence[str] = ()) -> Runner:
        return Runner(graph, self.device, self.plan_for, self.memory.arrays, self.workers, contiguous)

    def cached(self, name: str, graph: Graph) -> Runner:
        """The runner of an evaluation graph, made when first needed."""
        if name not in self.runners:
            self.runners[name] = self.runner(optimize(graph))
        return self.runners[name]

    def optimizer(self, flat: Flat) -> FlatUpdate:
        """The update of one flat vector. Its gradients are those of the training plan."""
        call = self.program_step.optimizer
        graph = update_graph(call.name, call.args, flat.weights.shape[0], flat.dtype)
        for item in graph.inputs:
            if item.kind == "state":
                flat.slots[item.name] = self.memory.vector(flat.weights.shape[0], flat.dtype)
        return FlatUpdate(graph, self.device, {"w": flat.weights, "g": self.gradient(flat), **flat.slots}, self.workers)

    def gradient(self, flat: Flat) -> Any:
        executor = self.train_runner.executor
        return executor.gradients[flat.start : flat.stop].view(flat.dtype.numpy)

    # ---- the step ---------------------------------------------------------------------------------------------------------------

    def train(self, **data_fields: Any) -> float:
        """One step on a batch at the rate `rate`; the loss before the update. Raises DivergedError, and then nothing was updated."""
        refuse_unknown(data_fields, field_names(self.training))
        status = self.backward(data_fields, seed=self.seed, step=self.done, first_sample=0)
        if not status.finite:
            first = self.first_bad(data_fields, seed=self.seed, step=self.done, first_sample=0)
            what = f"the loss ({status.loss:g})" if not isfinite(status.loss) else "the gradient"
            raise DivergedError(Diverged(what=what, first=first))
        clip = self.training.clip
        self.apply(self.rate, float(clip.args["limit"]) if clip is not None else None)  # type: ignore[arg-type]
        return status.loss

    def backward(self, fields: Fields, *, seed: int, step: int, first_sample: int) -> Status:
        """Loss and gradients of a batch; nothing is updated."""
        before = self.train_runner.executor
        self.results = self.train_runner.run(self.data(self.train_runner.graph, fields), (seed, step, first_sample))
        if self.train_runner.executor is not before:
            self.rebind()
        loss = float(self.results["loss"])
        losses = {name: float(self.results[loss_name(name)]) for name in self.program_step.losses if loss_name(name) in self.results}
        norm = self.gradient_norm()
        self.status = Status(loss, losses, norm, isfinite(loss) and isfinite(norm))
        return self.status

    def rebind(self) -> None:
        """A larger batch has a plan of its own, and so another region of gradients."""
        for flat, update in zip(self.memory.flats, self.updates, strict=True):
            update.rebind("g", self.gradient(flat))

    def gradient_norm(self) -> float:
        """√Σ g² over all trained weights."""
        with calculating(self.device):
            squares = [float(self.device.xp.dot(update.arrays["g"], update.arrays["g"])) for update in self.updates]
            if all(map(isfinite, squares)):
                return sqrt(sum(squares))
            # the squares of finite numbers may overflow in float32
            return sqrt(sum(float((update.arrays["g"].astype("float64") ** 2).sum()) for update in self.updates))

    def apply(self, rate: float, clip: float | None) -> None:
        """Update weights and states from the last backward pass. clip: the largest norm of the gradient, which is scaled down to it."""
        if self.status is None:
            raise DataError(BadField(field="apply", reason="there was no backward pass before it"))
        norm = self.status.grad_norm
        factor = clip / norm if clip is not None and norm > clip else 1.0
        self.done += 1
        for update in self.updates:
            update.run(rate, factor, self.done)
        for name, value in self.results.items():
            if name.startswith("update:"):
                self.memory.arrays[name.removeprefix("update:")][...] = value
        self.status = None

    def first_bad(self, fields: Fields, *, seed: int, step: int, first_sample: int) -> str:
        """The address and place of the first value in execution order that is not finite, found by the plain interpreter."""
        from runtime.firstbad import find

        data = self.data(self.differentiated, fields)
        return find(self.differentiated, data, self.parameters(), self.training, (seed, step, first_sample))

    # ---- parameters -------------------------------------------------------------------------------------------------------------

    def grads(self) -> Arrays:
        """Copies of the gradients of the last backward pass, by address; after `apply` as they were clipped. Needs `keep_grads=True`."""
        if not self.keep_grads:
            detail = "grads() needs keep_grads=True: this step was not compiled to keep its gradients"
            raise SpecError(BadArgument(detail=detail, usage="spec.compile(keep_grads=True)"))
        if not self.results:
            raise DataError(BadField(field="grads", reason="there was no backward pass before it"))
        return {name: self.device.to_host(self.results[f"grad:{name}"]) for name in self.trained}

    def parameters(self) -> Arrays:
        """Copies of all weights and states, by address."""
        return self.memory.copies()

    def load(self, mapping: Mapping[str, Any]) -> None:
        """Set weights and states by address; those that are not named stay. Raises DataError for a wrong address, shape or dtype."""
        self.memory.load(mapping)

    def optimizer_state(self) -> Arrays:
        """The vectors that the optimizer keeps, by "SLOT:ADDRESS", and "steps", the number of updates."""
        found = {"steps": np.array(self.done, np.int64)}
        for flat in self.memory.flats:
            for slot, vector in flat.slots.items():
                for name, array in flat.cut(vector).items():
                    found[f"{slot}:{name}"] = self.device.to_host(array)
        return found

    def load_optimizer_state(self, mapping: Mapping[str, Any]) -> None:
        """The inverse of `optimizer_state`; everything must be there. Raises DataError."""
        wanted = {
            f"{slot}:{name}": array
            for flat in self.memory.flats
            for slot, vector in flat.slots.items()
            for name, array in flat.cut(vector).items()
        }
        steps = np.zeros((), np.int64)
        self.memory.fill(mapping, wanted | {"steps": steps}, complete=True)
        self.done = int(steps)

    # ---- evaluation -------------------------------------------------------------------------------------------------------------

    def forward(self, **network_inputs: Any) -> Arrays:
        """Outputs of the (first) network in its evaluation phase."""
        network = self.network()
        refuse_unknown(network_inputs, [port.name for port in network.inputs])
        runner = self.cached("forward", network.evaluate)
        given = {port.name: port.default for port in network.inputs if port.default is not None} | network_inputs
        return self.hosted(runner.run(self.data(runner.graph, given), (self.seed, 0, 0)))

    def network(self) -> Network:
        return self.program.networks[self.training.networks[0]]

    def predict(self, fields: Fields) -> Arrays:
        """Outputs of the network called in `train` for a batch of data fields."""
        refuse_unknown(fields, field_names(self.training))
        runner = self.cached("predict", self.training.predict)
        return self.hosted(runner.run(self.data(runner.graph, fields), (self.seed, 0, 0)))

    def evaluate(self, batches: Iterable[Fields]) -> dict[str, float]:
        """Loss and metrics over all batches, as if they were one."""
        parts = accumulate(self.training.evaluate)
        runner = self.cached("evaluate", parts.batch)
        found = (runner.run(self.data(runner.graph, fields), (self.seed, 0, 0)) for fields in batches)
        return join(parts, (self.hosted(results) for results in found))

    def hosted(self, results: Mapping[str, Any]) -> Arrays:
        return {name: self.device.to_host(value) for name, value in results.items() if not name.startswith("update:")}

    def data(self, graph: Graph, fields: Fields) -> Arrays:
        return fields_of(graph, fields, self.memory.arrays)


def field_names(training: Training) -> list[str]:
    """What data fields may be called: `image`, and in full `data.image`."""
    graphs = (*(step.graph for step in training.steps), training.evaluate, training.predict)
    long = [f"{source.variable}.{field}" for source in training.data for field in source.fields]
    long += [item.name for graph in graphs for item in graph.inputs if item.kind in ("data", "input")]
    return list(dict.fromkeys([*(name.rpartition(".")[2] for name in long), *long]))


def loss_name(name: str) -> str:
    return f"loss.{name}" if name else "loss"


def losses_only(graph: Graph) -> Graph:
    """Without the metrics, which a training step does not need."""
    return graph.model_copy(update={"outputs": tuple(output for output in graph.outputs if not output.name.startswith("metric."))})
