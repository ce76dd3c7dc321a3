"""What a training needs of memory, as `dslc show --memory` prints it: bound over memory that nobody writes to, and nothing is run."""

from __future__ import annotations

from pathlib import Path

from dslc.diagnostics import DataError
from dslc.program import Program, Training


def memory_lines(program: Program, training: Training, spec: Path, batch: int | None, device: str | None) -> list[str]:
    """A line for each part, and their sum. Raises DataError where this machine has less.

    device: None is the one that `dslc train` takes.
    """
    from dslc.show import aligned
    from runtime.device import training_device
    from runtime.memory import amount, whole
    from runtime.step import compile_step
    from runtime.train.inputs import load_inputs
    from runtime.workers import default_threads

    size, threads = batch or training.batch_size, default_threads()
    device, _ = training_device(device)
    head = f"Memory of `{training.name}` at batch size {size:,} on the device {device} with {threads} thread{'s' * (threads > 1)}:"
    notes = []
    try:
        inputs = load_inputs(training, spec.parent, None, 0)
    except DataError as error:
        inputs = None
        notes.append(f"Without its data: {error.diagnostics[0].message}.")
    planned = size if inputs is None else min(size, inputs.count("train"))
    step = compile_step(program, training=training.name, device=device, batch_size=planned, threads=threads)
    step.bind_evaluation(size if inputs is None else inputs.most_evaluated())
    found = whole(step, inputs)
    rows = [(name, amount(count)) for name, count in found.parts.items()]
    return [head, *aligned([*rows, ("in all", amount(found.total))], right=(1,)), *notes]
