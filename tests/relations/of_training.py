"""Relations of training: what must not move a weight by a bit, and what must bring every bit back (relations 14, 15, 17 and 19)."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np

from dslc.diagnostics import DataError, DivergedError, SpecError
from dslc.program import Network
from dslc.syntax import ast
from exporters.onnx.export import export_network
from exporters.onnx.lower import why_not
from runtime.step import Step
from runtime.train.checkpoint import Checkpoint, decode, encode
from tests.relations.edits import edited, every, tree
from tests.relations.subject import SEED, Arrays, Refused, Subject, initial

STEPS = 2


def trained(subject: Subject, step: Step, steps: int = STEPS, rate: float | None = None) -> bool:
    """Some rounds on the first batch, at the spec's rate or at another; False where the data do not fit, or numbers grow too large."""
    if rate is not None:
        for half in step.steps.values():
            half.rate = rate
    try:
        for _ in range(steps):
            step.train(**subject.batch(0, 3))
    except (DataError, DivergedError):
        return False
    return True


def no_rate(subject: Subject, rng: Random) -> bool:
    """At a rate of 0 no weight moves by a bit, whatever the optimizer and its decay. A constraint holds at any rate."""
    step = subject.compile()
    before = step.parameters()
    if not subject.training.weights or not trained(subject, step, rate=0.0):
        return False
    bound = {name for rule in subject.training.rules if "constraint" in rule.settings for name in rule.matches}
    changed = changes(before, step.parameters(), [item.address for item in subject.training.weights if item.address not in bound])
    assert not changed, f"moved at a rate of 0: {', '.join(changed)}"
    return True


def frozen_weights(subject: Subject, rng: Random) -> bool:
    """Frozen weights and states keep every bit."""
    weights = [item.address for item in subject.training.weights]
    if not weights:
        return False
    chosen = rng.sample(weights, rng.randint(1, max(1, len(weights) - 1)))
    other = subject.other(with_rules(subject.text, chosen))
    try:
        step = other.compile()
    except Refused:  # no weight is left to train
        return False
    before = step.parameters()
    if not trained(other, step):
        return False
    matched = [name for rule in other.training.rules if rule.settings.get("frozen") for name in rule.matches]
    assert set(chosen) <= set(matched)
    changed = changes(before, step.parameters(), matched)
    assert not changed, f"moved though frozen: {', '.join(changed)}"
    return True


def with_rules(text: str, addresses: list[str]) -> str:
    """The text with a rule that freezes each of these."""
    (train,) = every(ast.Train, tree(text))
    rules = "".join(f'\n  rule "{address}" {{\n    frozen: true\n  }}' for address in addresses)
    end = train.body.statements[-1].span.end
    return edited(text, [(end, end, rules)])


def changes(before: Arrays, after: Arrays, names: list[str]) -> list[str]:
    return [name for name in names if before[name].tobytes() != after[name].tobytes()]


def saved_and_loaded(subject: Subject, rng: Random) -> bool:
    """What a checkpoint brings back is saved as the same bytes, and goes on as the training that never stopped."""
    step = subject.compile()
    if not trained(subject, step):
        return False
    saved = encode(Checkpoint(*step.state(), {"step": STEPS}))
    read = decode(saved, "checkpoint")
    other = subject.compile()
    other.restore(read.parameters, read.slots)
    assert encode(Checkpoint(*other.state(), read.meta)) == saved, "saved, loaded and saved it has other bytes"
    if trained(subject, step, 1):
        assert trained(subject, other, 1), "the training that was loaded does not go on"
        changed = changes(step.parameters(), other.parameters(), list(step.parameters()))
        assert not changed, f"after one more step other bytes: {', '.join(changed)}"
    return True


def exported_twice(subject: Subject, rng: Random) -> bool:
    """The exported bytes are a function of network and weights: also of a network compiled anew, with weights out of a file."""
    names = [name for name, item in subject.program.networks.items() if not any(why_not(node.op) for node in item.evaluate.nodes)]
    if not names:
        return False
    name = rng.choice(names)
    options = {"opset": rng.randint(13, 28), "flat": rng.random() < 0.5, "fold_batch_norm": rng.random() < 0.5}
    again = subject.other(subject.text).program.networks[name]
    parameters = {key: np.asarray(value) for key, value in initial(subject.program.networks[name]).items()}
    files = [subject.folder / f"{at}.onnx" for at in range(2)]
    try:
        onnx(subject.program.networks[name], parameters, files[0], options)
    except SpecError:  # an operator without a form at these settings
        return False
    loaded = decode(encode(Checkpoint(parameters, {}, {"seed": SEED})), "checkpoint").parameters
    onnx(again, dict(reversed(loaded.items())), files[1], options)
    assert files[0].read_bytes() == files[1].read_bytes(), "exported twice the file has other bytes"
    return True


def onnx(network: Network, parameters: Arrays, path: Path, options: dict[str, object]) -> None:
    export_network(network, parameters, path, verify=False, **options)  # type: ignore[arg-type]
