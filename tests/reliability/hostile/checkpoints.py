"""Hostile inputs 89-98: what checkpoints and weights hold and say."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.reliability.hostile import made
from tests.reliability.hostile.made import (
    EVAL,
    EXPORT,
    RESUME,
    SPEC,
    TRAIN,
    WEIGHTS,
    Build,
    a_run,
    all_of,
    bytes_of,
    meta,
    safetensors,
    signed,
    tensor,
)
from tests.reliability.hostile.row import Place, Row
from tests.reliability.hostile.weights import DATA, OTHER, run, weights


def everywhere(number: int, name: str, build: Build, *says: str) -> tuple[Row, ...]:
    return tuple(run(number, name, build, says, command) for command in (EVAL, RESUME, EXPORT))


def special(value: float) -> bytes:
    import numpy as np

    return np.full(4, value, "<f4").tobytes() + bytes(8)


def other(**arrays: Any) -> Callable[[Any], Any]:
    """Other parameters; None takes one away. In names `_` stands for a dot."""
    named = {name.replace("_", "."): array for name, array in arrays.items()}
    return lambda state: replace(
        state, parameters={name: array for name, array in {**state.parameters, **named}.items() if array is not None}
    )


def of_all(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda state: replace(state, parameters={name: change(array) for name, array in state.parameters.items()})


def slots(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Any], Any]:
    return lambda state: replace(state, slots=change(state.slots))


def zeros(*shape: int, dtype: str = "f4") -> Any:
    import numpy as np

    return np.zeros(shape, dtype)


def step_of(number: int) -> Build:
    import numpy as np

    return signed(slots(lambda given: {**given, "steps": np.array(number)}))


def not_a_number(array: Any) -> Any:
    import numpy as np

    return np.full_like(array, np.nan) if array.dtype.kind == "f" else array


TRANSPOSED = safetensors({"N.dense0.w": tensor("F32", [3, 2], 0, 24), "N.dense0.b": tensor("F32", [3], 24, 36)}, bytes(36))
WIDE = made.spec(more='  start: checkpoint("w.safetensors")\n').replace("dense(2)", "dense(3)")
TENSORS = (
    *(weights(89, f"weights that are {value}", safetensors(body=special(value)), "start-mismatch", "not finite")
      for value in (float("nan"), float("inf"), float("-inf"))),
    *everywhere(89, "weights that are not finite", signed(of_all(not_a_number)), "error[", "not finite"),
    run(89, "an optimizer's state that is NaN", signed(slots(lambda given: {key: not_a_number(value) for key, value in given.items()})),
        ("bad-parameter", "it holds NaN"), RESUME),
    *everywhere(90, "a weight is missing", signed(other(N_dense0_b=None)), "checkpoint-broken", "it lacks `N.dense0.b`"),
    *everywhere(90, "all weights are missing", signed(other(N_dense0_b=None, N_dense0_w=None)), "it lacks `N.dense0.w`, `N.dense0.b`"),
    *everywhere(90, "a weight too many", signed(other(N_more=zeros(2))), "the spec has no `N.more`"),
    *everywhere(90, "a weight has another name", signed(other(N_dense0_b=None, N_a=zeros(2))), "lacks `N.dense0.b`", "no `N.a`"),
    *everywhere(90, "a weight has another shape", signed(other(N_dense0_w=zeros(4, 1))), "is float32[4, 1], float32[2, 2] is needed"),
    *everywhere(90, "a weight has another type", signed(other(N_dense0_w=zeros(2, 2, dtype="f8"))), "is float64[2, 2], float32[2, 2]"),
    weights(90, "a weight is missing, one has another name, one another shape",
            safetensors({"N.dense0.w": tensor("F32", [4], 0, 16), "N.x": WEIGHTS["N.dense0.b"]}),
            "N.dense0.w: another shape", "N.dense0.b: missing", "N.x: unknown"),
    Row(90, "weights: a transposed matrix", spec=WIDE, build=all_of(DATA, made.write("w.safetensors", TRANSPOSED)), command=TRAIN, exit=3,
        says=("start-mismatch", "[3, 2], [2, 3] is needed")),
    run(91, "the state of another optimizer", signed(slots(lambda given: {f"velocity:{name}": zeros(2) for name in WEIGHTS})),
        ("bad-parameter", "`velocity:N.dense0.w` does not fit", "`mean:N.dense0.w` does not fit: it is missing"), RESUME),
    run(91, "no state of the optimizer", signed(slots(lambda given: {})), ("bad-parameter", "`steps` does not fit: it is missing"), RESUME),
    *(run(91, f"the optimizer says {number} steps", step_of(number), ("bad-parameter", "is no number of steps"), RESUME)
      for number in (-1, 2**62)),
    *(run(91, f"step {step!r}", meta(step=step), ("checkpoint-broken", "malformed: `step`"), command)
      for step in (-1, 2**63, "7", 1.5, None, ...) for command in (EVAL, RESUME)),
    run(91, "a turn that the round does not have", meta(turn=5), ("checkpoint-broken", "turn 5 of 1"), RESUME),
    *(run(91, f"{key} is {value!r}", meta(**{key: value}), ("checkpoint-broken", f"malformed: `{key}"), RESUME)
      for key, value in (("turn", -1), ("losses", {"loss": "x"}), ("losses", 7), ("samples", {"loss": 0}), ("samples", {"a": 1}),
                         ("best", "x"),
                         ("best_step", -1), ("metrics", {"loss": "x"}), ("plateaus", {"main": {}}), ("settings", 7), ("params", []),
                         ("environment", "x"), ("spec_hash", ...), ("data_hash", None), ("training", ["train"]), ("precision", "f16"))),
    *(run(92, f"the seed is {seed!r}", meta(seed=seed), ("checkpoint-broken", "malformed: `seed`"), command)
      for seed in (-1, 2**63, "x", None, ..., [1, 2]) for command in (EVAL, RESUME)),
)  # fmt: skip


# ---- other contents -----------------------------------------------------------------------------------------------------------------


def replaced(name: str, old: bytes, new: bytes) -> Build:
    """A file of the run with other words in it."""

    def change(files: dict[str, bytes]) -> None:
        assert old in files[name]
        files[name] = files[name].replace(old, new)

    return a_run(change)


def flipped(place: float, bit: int) -> Build:
    """One bit, at a part of the file."""

    def change(data: bytes) -> bytes:
        at = int(place * (len(data) - 1))
        return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]

    return bytes_of(change)


def at_tensor(number: int) -> Build:
    """One bit of a tensor, or of the state of the optimizer."""

    def change(data: bytes) -> bytes:
        from dslc.safetensors_header import read_header

        tensors = [item for item in read_header(data)[0].values() if item.nbytes]
        at = tensors[number % len(tensors)].offset
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]

    return bytes_of(change)


def forged(**changes: Any) -> Build:
    """Other words beside the hashes."""

    def change(data: bytes) -> bytes:
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
        stored = {**json.loads(header["__metadata__"]["dslc"]), **changes}
        header["__metadata__"]["dslc"] = json.dumps({key: value for key, value in stored.items() if value is not ...})
        return safetensors(header, data[8 + length :])

    return bytes_of(change)


def elsewhere(place: Place) -> None:
    """Data that a checkpoint could lead to."""
    (place.secret / "d.csv").write_text(made.CSV)
    (place.spec / "d.csv").unlink()


IMPORT = b'import p from "../../secret/passwd"\n'
ESCAPES = "\x1b[31m\x1b]0;owned\x07\u202e"
LONG = "x" * 10_000_000
CONTENTS = (
    Row(93, "resume: another spec", spec=SPEC.replace("adam(0.1)", "adam(0.2)"), build=a_run(), command=RESUME, exit=3,
        says=("checkpoint-mismatch", "the spec is not the one of this run")),
    run(93, "another spec in the run folder", replaced("spec.resolved.nn", b"adam(0.1)", b"adam(0.2)"), ("run-folder", "is not the spec")),
    run(93, "a broken spec in the run folder", replaced("spec.resolved.nn", b"network", b"\xff\x00"), ("run-folder", "is damaged")),
    run(93, "another hash of the spec", meta(spec_hash="0" * 64), ("run-folder", "is not the spec")),
    run(93, "a training that is not there", meta(training="other"), ("run-folder", "is not the spec")),
    *(run(94, f"one bit at {place:.0%}", flipped(place, bit), ("checkpoint-broken",))
      for place in (0.0, 0.002, 0.01, 0.1, 0.3, 0.6, 0.9, 1.0) for bit in (0, 7)),
    *(run(94, f"one bit of tensor {number}", at_tensor(number), ("checkpoint-broken", "it is damaged")) for number in range(7)),
    Row(95, "truncated at every 128 bytes: the other checkpoint is taken; both: refused", spec=SPEC, build=a_run(),
        call="tests.reliability.hostile.inside.calls:truncated_checkpoints", exit=0),
    *(run(96, f"format {number!r}", forged(format=number), ("checkpoint-broken", "this version reads format 2"))
      for number in (3, 1, "2", None, ESCAPES, 10**400)),
    run(96, "no format", forged(format=...), ("checkpoint-broken", "is of format None")),
    run(96, "no metadata", forged(meta=...), ("checkpoint-broken", "no header of a dslc checkpoint")),
    run(96, "no digest", forged(digest=...), ("checkpoint-broken", "it is damaged")),
    run(97, "escape sequences among the params", meta(params={ESCAPES: ESCAPES}), (), EVAL, 0),
    run(97, "escape sequences as the name of the spec", meta(spec=ESCAPES), (), EVAL, 0),
    run(97, "escape sequences as a hash", meta(spec_hash=ESCAPES), ("run-folder",)),
    run(97, "escape sequences as a loss", meta(losses={ESCAPES: "x"}), ("checkpoint-broken",)),
    Row(97, "resume: settings of 10 MB", spec=SPEC.replace("adam(0.1)", "adam(0.2)"), build=meta(settings={"batch_size": LONG}),
        command=RESUME, exit=3, says=("checkpoint-mismatch",), never=("x" * 1000,)),
    run(97, "a name of the spec of 10 MB", meta(spec=LONG), ("checkpoint-broken", "malformed: `spec`")),
    weights(97, "tensors called by escape sequences and by 100,000 letters",
            lambda: safetensors({ESCAPES: {**WEIGHTS["N.dense0.w"]}, "x" * 100000: {**WEIGHTS[OTHER]}}), "start-mismatch"),
    *(run(98, f"the spec was {where!r}", all_of(meta(spec=where), elsewhere), ("data-missing",))
      for where in ("@secret/spec.nn", "../secret/spec.nn", "/etc/spec.nn", "~/spec.nn")),
    run(98, "the spec in the run folder imports from outside", replaced("spec.resolved.nn", b"network N", IMPORT + b"network N"),
        ("run-folder", "is damaged")),
    run(98, "the spec in the run folder reads data from outside", replaced("spec.resolved.nn", b'"d.csv"', b'"../../secret/passwd"'),
        ("run-folder", "is damaged")),
)  # fmt: skip

ROWS = (*TENSORS, *CONTENTS)
