"""From a network or a step with its numbers to an ONNX file: what `Network.export`, `Run.export` and `export_step` share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dslc.checked import numbers, one_of, paths
from dslc.diagnostics import SpecError
from dslc.program import Network, Training
from dslc.usage import BadArgument

if TYPE_CHECKING:
    import numpy as np

    from exporters.onnx.report import Report
    from runtime.train.checkpoint import Checkpoint

Arrays = dict[str, "np.ndarray"]


def export_step(
    training: Training,
    parameters: Mapping[str, np.ndarray],
    path: str | Path,
    *,
    step: str | None,
    spec_path: Path,
    seed: int,
    verify: bool,
    state: Checkpoint | None = None,
    **options: Any,
) -> Report:
    """Join forward and backward with the optimizer's updates, check, train three steps in a backend, and write; never over a spec."""
    from dslc.files import output_path
    from dslc.syntax.reader import read_source
    from exporters.onnx.half import refuse_half_step
    from exporters.onnx.train_step import export_train_step
    from runtime.memory import enough_memory
    from runtime.train.alone import standing, turn_of, weight_updates

    refuse_half_step(options.pop("dtype", "f32"))
    for name in options:
        one_of("export option", name, ("opset",))
    target, number = output_path(str(path)), step_number(training, step)
    chosen = training.steps[number]
    turns, first = turn_of(chosen, training)
    given: dict[str, Any] = {"turns": turns, "first": first, "seed": seed, "spec_text": read_source(spec_path, spec_path.name).text}
    with enough_memory():
        updates = weight_updates(training, number)
        if state is not None:
            found = standing(training, number, state)
            parameters, given = found.parameters, given | {"slots": found.slots, "done": found.done}
        return export_train_step(training, chosen, updates, parameters, target, verify=verify, **given, **options)


def step_number(training: Training, name: str | None) -> int:
    """Which step of a training is meant. SpecError where there is none of this name, or where a name is needed."""
    names = [step.name for step in training.steps]
    if name is None and len(names) == 1:
        return 0
    if name not in names:
        which = f"the training `{training.name}`" if training.name else "the training"
        problem = f"there is no step `{name}`; " if name is not None else ""
        detail = f"{training.place or which}: {problem}{which} has {'several steps' if len(names) > 1 else 'one step'}: {', '.join(names)}"
        raise SpecError(BadArgument(detail=detail, usage=f"--train-step {names[0]}"))
    return names.index(name)


def export(
    network: Network,
    parameters: Mapping[str, np.ndarray],
    path: str | Path,
    *,
    spec_path: Path,
    classes: tuple[str, ...] = (),
    contract: Mapping[str, str] | None = None,
    verify: bool = True,
    checkpoint: Path | None = None,
    external_data: bool | str | Path | None = None,
    external_data_above: int | None = None,
    samples: tuple[Arrays, str] | None = None,
    **options: Any,
) -> Report:
    """Lower, check, compare and write; never over a spec. Raises SpecError for an option that does not exist.

    checkpoint: the file that the parameters come from; external_data, external_data_above: see `Network.export`; samples:
    inputs whose classes are compared in float16, and words about them.
    """
    from dslc.files import output_path
    from dslc.syntax.reader import read_source
    from exporters.onnx.agreement import Samples
    from exporters.onnx.export import export_network
    from exporters.onnx.external import storage_for
    from runtime.memory import enough_memory

    for name in options:
        one_of("export option", name, ("opset", "flat", "fold_batch_norm", "dtype"))
    target = output_path(str(path))
    numbers(0, external_data_above=external_data_above)
    if not isinstance(external_data, bool):
        paths(external_data=external_data)
    data = str(external_data) if isinstance(external_data, Path) else external_data
    given: dict[str, Any] = {"classes": classes, "contract": contract, "verify": verify}
    given["spec_text"] = read_source(spec_path, spec_path.name).text
    given["samples"] = Samples(*samples) if samples is not None else None
    given["storage"] = storage_for(target, data, external_data_above, checkpoint)
    with enough_memory():
        return export_network(network, parameters, target, **given, **options)
