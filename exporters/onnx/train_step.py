"""Export of one training step: forward, backward and update as plain operators, which any ONNX runtime trains with.

The model holds no weights: they, the states and what the optimizer keeps are inputs, and outputs with `.next`. Their first values are
written beside the model, `step.npz` for `step.onnx`.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import numpy as np

from dslc import __version__
from dslc.files import npz
from dslc.ir.graph import Graph
from dslc.passes.pipeline import optimize
from dslc.program import Call, StepProgram, Training, WeightUpdate
from exporters.onnx.check import Subject, static_checks
from exporters.onnx.drafts import write_pair
from exporters.onnx.draws import DRAWN, Draws
from exporters.onnx.export import as_json, facts_of, file_facts, fitting
from exporters.onnx.lower import lower, refuse_unsupported
from exporters.onnx.opset import DEFAULT, checked
from exporters.onnx.report import Check, Parity, Report
from exporters.onnx.three_steps import Rehearsal, rehearse
from exporters.onnx.train_graph import AVERAGE, StepGraph, step_graph

Arrays = dict[str, np.ndarray]


def export_train_step(
    training: Training,
    step: StepProgram,
    updates: Mapping[str, WeightUpdate],
    parameters: Mapping[str, np.ndarray],
    path: Path | str | None,
    *,
    turns: int = 1,
    first: int = 0,
    seed: int = 0,
    slots: Mapping[str, np.ndarray] | None = None,
    done: int = 0,
    spec_text: str = "",
    verify: bool = True,
    opset: int = DEFAULT,
) -> Report:
    """Write one step of a training to `path`, its first values beside it, and return the report.

    updates: the optimizer for each trained weight; parameters: weights and states by address; turns, first: the length of a round and the
    step's place in it, for draws, which are those of `seed`; slots, done: what the optimizer of a run keeps by ADDRESS.SLOT, with averages,
    and how many updates there were (without them it begins anew). With `path` None nothing is written; `verify=False` leaves out the
    three steps, never the static checks.
    Raises SpecError for another opset and for operators without an ONNX form, DataError for parameters that do not fit or a path that
    cannot be written, InternalError where a check fails: in all cases no file is written.
    """
    checked(opset)
    whole = step_graph(step, updates, training.ema)
    start = beginning(training, step, whole, updates, parameters, slots or {})
    draws = Draws(seed, turns, first, step.times)
    subject, metadata = make_subject(training, step, whole, draws, spec_text, opset, done)
    checks, table = static_checks(subject), list[Parity]()
    if verify:
        rate = np.asarray(step.optimizer.args["rate"], subject.types["rate"].dtype.numpy)
        more, table = rehearse(subject, Rehearsal(*parted(start, whole), rate, draws, done))
        checks += more
    else:
        checks.append(Check(name="training steps", verdict="left out", detail="not asked for"))
    if path is not None:
        target = Path(path)
        write_pair(target, subject.data, target.with_suffix(".npz"), lambda draft: save_start(draft, start))
    return make_report(Path(path).name if path is not None else "(not written)", training, step, subject, metadata, checks, table)


def make_subject(
    training: Training, step: StepProgram, whole: StepGraph, draws: Draws, spec_text: str, opset: int, done: int
) -> tuple[Subject, dict[str, str]]:
    """The unchecked model with all that its checks need, and its metadata."""
    more = draws.lowerings()
    graph = optimize(whole.graph)
    refuse_unsupported(graph, more)
    metadata = describe(training, step, graph, draws.seed, spec_text) | {"dslc.t": str(done + 1)}
    named = graph.model_copy(update={"name": f"{training.name or 'train'}.{step.name}"})
    model, writer, _ = lower(named, {}, metadata, opset, more)
    return Subject(
        model=model, definition=whole.graph, graph=graph, names=writer.names, types=writer.known, parameters={},
        outside=frozenset(writer.hoisted),
    ), metadata  # fmt: skip


# ---- first values -----------------------------------------------------------------------------------------------------------------


def beginning(
    training: Training, step: StepProgram, whole: StepGraph, updates: Mapping[str, WeightUpdate], parameters: Mapping[str, np.ndarray],
    slots: Mapping[str, np.ndarray],
) -> Arrays:  # fmt: skip
    """Weights, states and slots that the model reads, by the name of the input."""
    found: Arrays = dict(fitting(step_inputs(training, whole), parameters))
    for name in step.trains:
        for slot, value in updates[name].slots.items():
            found[f"{name}.{slot}"] = np.full_like(found[name], value)
        if f"{name}.{AVERAGE}" in whole.moving:
            found[f"{name}.{AVERAGE}"] = found[name].copy()
    found |= slots
    read = {item.name for item in whole.graph.inputs}
    return {name: found[name] for name in sorted(found) if name in read}


def step_inputs(training: Training, whole: StepGraph) -> Graph:
    """The graph with its weights and states told apart again from data."""
    kinds = {item.address: "weight" for item in training.weights} | {item.address: "state" for item in training.states}
    inputs = tuple(item.model_copy(update={"kind": kinds.get(item.name, item.kind)}) for item in whole.graph.inputs)
    return whole.graph.model_copy(update={"inputs": inputs})


def parted(start: Mapping[str, np.ndarray], whole: StepGraph) -> tuple[Arrays, Arrays]:
    """What moves, and what stays."""
    moving = {name: array for name, array in start.items() if name in whole.moving}
    return moving, {name: array for name, array in start.items() if name not in whole.moving}


def save_start(path: Path, arrays: Arrays) -> None:
    """The first values as .npz: the same bytes for the same arrays."""
    path.write_bytes(npz(arrays))


# ---- words ------------------------------------------------------------------------------------------------------------------------


def describe(training: Training, step: StepProgram, graph: Graph, seed: int, spec: str) -> dict[str, str]:
    schedule = step.schedule or training.schedule
    draws = any(node.op in DRAWN for node in graph.nodes)
    texts = {
        "dslc.train": training.name,
        "dslc.step": step.name,
        "dslc.version": __version__,
        "dslc.spec_sha256": sha256(spec.encode()).hexdigest() if spec else "",
        "dslc.optimizer": as_json(called(step.optimizer)),
        "dslc.schedule": as_json(called(schedule)) if schedule is not None else "",
        "dslc.clip": as_json(called(step.clip)) if step.clip is not None else "",
        "dslc.batch_size": str(training.batch_size),
        "dslc.seed": str(seed) if draws else "",
    }
    return {key: text for key, text in texts.items() if text}


def called(call: Call) -> dict[str, object]:
    return {"name": call.name, **dict(sorted(call.args.items()))}


def make_report(
    name: str,
    training: Training,
    step: StepProgram,
    subject: Subject,
    metadata: Mapping[str, str],
    checks: list[Check],
    table: list[Parity],
) -> Report:
    trained = set(step.trains)
    return Report(
        file=name,
        network=f"{', '.join(training.networks)} (training step `{step.name}`)",
        parameters=sum(weight.type.elements.constant for weight in training.weights if weight.address in trained),
        merged=(),
        metadata=dict(metadata),
        checks=tuple(checks),
        parity=tuple(table),
        **file_facts(subject),
        **facts_of(subject),
    )
