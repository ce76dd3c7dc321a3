"""What a checked spec is: the result of elaboration, and all that passes, runtimes and exporters ever see of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dslc.ir.graph import Graph
from dslc.ir.types import DType, Frozen, TensorType

Scalar = bool | int | float | str
Leaf = Scalar | DType | None
Argument = Leaf | tuple[Leaf, ...] | tuple[tuple[Leaf, ...], ...]
Count = Annotated[int, Field(ge=1, le=2**53)]


class Init(Frozen):
    """An initialiser with its arguments: `normal(std=0.02)`. `fan_axes` is not needed: see docs/defaults.md for the fans."""

    name: str
    args: dict[str, Argument] = {}


def value_text(value: Argument | Init) -> str:
    """A compile-time value as the language writes it: `0.05`, `true`, `"char"`, `[1, 2]`, `f32`, `normal(std=0.02)`."""
    if isinstance(value, Init):
        arguments = ", ".join(f"{name}={value_text(item)}" for name, item in value.args.items())
        return f"{value.name}({arguments})" if arguments else value.name
    if isinstance(value, DType):
        return value.value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
        return f'"{escaped}"'
    if isinstance(value, tuple):
        return f"[{', '.join(value_text(item) for item in value)}]"
    return "none" if value is None else repr(value)


class Weight(Frozen):
    """A trained tensor; shared weights stand once."""

    address: str
    type: TensorType
    init: Init
    place: str = ""


class State(Frozen):
    """A tensor kept between steps: in a network (running statistics) or in `train` (`scope` "train")."""

    address: str
    type: TensorType
    init: Init
    scope: Literal["network", "train"] = "network"
    place: str = ""


class Port(Frozen):
    """A network's input or output."""

    name: str
    type: TensorType
    default: Scalar | None = None
    place: str = ""


class LayerRow(Frozen):
    """One expansion of a block, for the layer table of `dslc show`."""

    address: str
    block: str
    outputs: tuple[TensorType, ...]
    depth: int
    place: str = ""
    std: bool = False  # a block of the standard library


class Network(Frozen):
    """One network: `evaluate` and `train` are the two phases (R13) over the same weights and states."""

    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    evaluate: Graph  # inputs of kind input, weight, state; outputs by name
    train: Graph
    weights: tuple[Weight, ...]
    states: tuple[State, ...]
    layers: tuple[LayerRow, ...]
    place: str = ""


class Call(Frozen):
    """A call `sgd(0.1, momentum=0.9)` in a setting, its arguments bound by name with the defaults filled in."""

    name: str
    args: dict[str, Argument]
    place: str = ""


class DataSource(Frozen):
    """`data = dataset("fashion-mnist")` in a `train`."""

    variable: str
    kind: str  # dataset, csv, npz, idx, text, images, pairs
    args: dict[str, Argument]
    fields: dict[str, TensorType]  # [batch, *sample], or no batch for those named in `whole`
    whole: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()  # class labels, if the schema knows them
    checked: bool = True  # False: the schema was not known when the spec was checked
    place: str = ""


class StepProgram(Frozen):
    """One `step` of a training (a training without steps has one, called "step")."""

    name: str
    graph: Graph  # training phase; outputs `loss`, `loss.NAME`, `metric.NAME`; updates: states of trained networks
    trains: tuple[str, ...]  # addresses of the weights that are trained
    losses: tuple[str, ...]  # names; "" is the unnamed one
    optimizer: Call
    times: Count = 1
    clip: Call | None = None  # the step's own, else the training's
    schedule: Call | None = None  # None: the training's


class WeightUpdate(Frozen):
    """How an optimizer changes one weight, as a graph: w, g, slots, rate and t in, w and the slots out.

    rate: a factor of the step's rate; slots: what the optimizer keeps beside the weight, with its first value.
    """

    graph: Graph
    rate: float = 1.0
    slots: dict[str, float] = {}


class Rule(Frozen):
    """`rule "conv*" { rate: 0.1 }`; `matches`: the addresses of weights and states that it means. Later rules win setting by setting.

    settings: `frozen` (bool), `rate` (a factor), `weight_decay`, `init` (an Init, which `Training.weights` has already), `constraint`
    (a Call).
    """

    pattern: str
    settings: dict[str, Argument | Init | Call]
    matches: tuple[str, ...] = ()
    place: str = ""


class Training(Frozen):
    """One `train` body, ready to be compiled. Every setting has a value; `origins` says where each came from."""

    name: str
    networks: tuple[str, ...]
    data: tuple[DataSource, ...]
    steps: tuple[StepProgram, ...]
    evaluate: Graph  # evaluation phase; outputs `loss`, `loss.NAME`, `metric.NAME`
    predict: Graph  # evaluation phase; data fields -> outputs of the first network called
    contract: dict[str, str]  # network input -> the source text of its argument (`data.image / 255`)
    metrics: tuple[str, ...]  # names; "metric: accuracy(...)" is called by its operator
    weights: tuple[Weight, ...]
    states: tuple[State, ...]
    schedule: Call | None
    clip: Call | None
    batch_size: Count
    epochs: Count | None
    max_steps: Count | None
    accumulate: Count = 1  # batches whose gradients make one step
    ema: float | None = None  # decay of the averaged weights by which the training is evaluated
    start: Call | None = None
    rules: tuple[Rule, ...] = ()
    place: str = ""


class Generate(Frozen):
    name: str
    graph: Graph
    settings: dict[str, Argument]
    place: str = ""


class ParamValue(Frozen):
    """A `param` of the root file with its value and where the value came from.

    origin: "default", "spec", "environment", "--set", "--FLAG" or "argument".
    """

    name: str
    type: str
    value: Argument | Init
    origin: str
    place: str = ""


class Program(Frozen):
    """A whole checked spec."""

    path: str
    precision: DType
    networks: dict[str, Network]
    trainings: dict[str, Training]
    generates: dict[str, Generate]
    params: tuple[ParamValue, ...]
    settings: tuple[ParamValue, ...]  # of the train bodies, `train.epochs` ...
    uses_signature_only: tuple[str, ...] = ()  # operators that can be checked but not run yet
    unread: dict[str, str] = {}  # trainings that are left out, and the data whose file is not there
