"""What a Python user sees: `load`, `Spec`, `Network`, `Run`. It joins the compiler with the runtime and the exporters, when they are used.

>>> import dslc
>>> net = dslc.load("lenet").network()
>>> net.parameter_count
431080
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from dslc.diagnostics import DataError, Diagnostic, SpecError
from dslc.ir.types import DType, TensorType
from dslc.loading import Override, find_spec, load_program
from dslc.parts import choose
from dslc.program import Argument, Init, Program, State, Training, Weight
from dslc.program import Network as NetworkProgram

if TYPE_CHECKING:
    import numpy as np

    from dslc.show import Summary
    from exporters.onnx.report import Report
    from runtime.step import Step
    from runtime.train.checkpoint import Checkpoint
    from runtime.train.loop import RunResult
    from runtime.train.run import SavedRun

Arrays = dict[str, "np.ndarray"]
Device = Literal["numpy", "cuda", "auto"]
CHUNK = 256  # samples that are predicted at once


def load(path: str | Path, /, *, precision: Literal["f32", "f64"] = "f32", strict: bool = False, **params: Any) -> Spec:
    """Check a spec and return it. `params` are values of its params (`lr=0.02`) and settings (`**{"train.epochs": 5}`).

    `path`: a file, or the bare name of a shipped spec ("lenet"). `strict` makes warnings errors. Raises SpecError with all diagnostics.
    """
    one_of("precision", precision, ("f32", "f64"))
    paths(path=path)
    overrides = tuple(Override(name, argument(value), "argument") for name, value in params.items())
    return Spec(path, overrides, DType(precision), strict)


def argument(value: Any) -> Argument:
    """A Python value as the language has it: lists become tuples, NumPy numbers plain ones."""
    if isinstance(value, list | tuple):
        return tuple(argument(item) for item in value)  # type: ignore[return-value]
    item = getattr(value, "item", None)
    return item() if item is not None and getattr(value, "ndim", 1) == 0 else value  # type: ignore[no-any-return]


class Spec:
    """A checked spec. `warnings` are its diagnostics that are no errors; `program` is what the compiler made of it."""

    def __init__(self, path: str | Path, overrides: tuple[Override, ...], precision: DType, strict: bool = False) -> None:
        self.path, self.shown = find_spec(path)
        self._given = (path, overrides, precision, strict)
        self.program, self.warnings = load_program(path, overrides=overrides, precision=precision, strict=strict)

    program: Program
    warnings: tuple[Diagnostic, ...]

    def __repr__(self) -> str:
        return f"Spec({self.shown!r}: {', '.join([*self.program.networks, *(f'train {name}'.strip() for name in self.program.trainings)])})"

    @property
    def params(self) -> dict[str, Argument | Init]:
        """Params and settings of `train` with their values."""
        return {item.name: item.value for item in (*self.program.params, *self.program.settings)}

    def network(self, name: str | None = None) -> Network:
        """The network called `name`; without a name the only one. Raises SpecError, which lists them."""
        return Network(choose(self.program, "network", name), self)

    def training(self, name: str | None = None) -> Training:
        """The training called `name`; without a name the only one."""
        return choose(self.program, "train", name)

    def replaced(self, training: str | None, **settings: Any) -> Spec:
        """This spec with other settings of a training; those that are None stay."""
        path, overrides, precision, strict = self._given
        name = training or "train"
        more = tuple(Override(f"{name}.{key}", argument(value), "argument") for key, value in settings.items() if value is not None)
        return Spec(path, (*overrides, *more), precision, strict) if more else self

    def train(
        self,
        *,
        epochs: int | None = None,
        batch_size: int | None = None,
        max_steps: int | None = None,
        seed: int | None = None,
        device: Device = "numpy",
        threads: int | None = None,
        data_dir: str | Path | None = None,
        out: str | Path | None = None,
        resume: str | Path | None = None,
        training: str | None = None,
        quiet: bool = False,
        **unknown: NoReturn,
    ) -> Run:
        """Train, and return the run (its best checkpoint). What is left out is taken from the spec.

        out: the run folder (default: the next number below runs/NAME); max_steps: stop after so many steps; seed: 0 unless given.
        resume: a run folder that is continued; its seed and its folder stay.
        Raises DataError for data that does not fit, DivergedError where the loss or a gradient is not finite.
        """
        from runtime.train.progress import make_progress

        refuse_unknown("train", self.train, unknown)
        numbers(1, max_steps=max_steps, threads=threads)
        spec = self.replaced(training, epochs=epochs, batch_size=batch_size)
        result = spec.start(
            training=training,
            max_steps=max_steps,
            seed=seed,
            device=device,
            threads=threads,
            data_dir=data_dir,
            out=out,
            resume=resume,
            progress=make_progress(quiet=quiet),
        )
        return Run.open(result.folder)

    def start(
        self,
        *,
        training: str | None,
        data_dir: str | Path | None,
        out: str | Path | None,
        resume: str | Path | None,
        progress: Any,
        seed: int | None = None,
        **more: Any,
    ) -> RunResult:
        """The training loop itself, for `train` and the command line: returns how it ended."""
        from runtime.memory import enough_memory
        from runtime.train.loop import train

        numbers(0, seed=seed)
        if resume is not None:
            refuse_with_resume({"seed": seed, "out": out})
        more["seed"] = seed or 0
        places = {"data_dir": data_dir, "out": out, "resume": resume}
        paths(**places)
        given = {name: Path(path) if path is not None else None for name, path in places.items()}
        with enough_memory():
            return train(self.program, training=training, spec_path=self.path, progress=progress, **given, **more)

    def compile(
        self,
        *,
        device: Device = "numpy",
        batch_size: int | None = None,
        seed: int = 0,
        threads: int | None = None,
        keep_grads: bool = False,
        training: str | None = None,
        network: str | None = None,
        **unknown: NoReturn,
    ) -> Step:
        """One training, compiled: `forward`, `train`, `grads`, `parameters`, `load`. A batch has at most `batch_size` samples.

        A spec without `train`, or a `network` that is named, gives a step with `forward`, `parameters` and `load` only.
        """
        from runtime.forward import compile_forward
        from runtime.step import compile_step

        refuse_unknown("compile", self.compile, unknown)
        numbers(1, batch_size=batch_size, threads=threads)
        numbers(0, seed=seed)
        if network is not None or (training is None and not self.program.trainings):
            chosen = choose(self.program, "network", network)
            return compile_forward(self.program, chosen, device=device, batch_size=batch_size, seed=seed, threads=threads)
        options: dict[str, Any] = {"device": device, "batch_size": batch_size, "seed": seed, "threads": threads, "keep_grads": keep_grads}
        return compile_step(self.program, training=training, **options)

    def export_step(
        self, path: str | Path, *, step: str | None = None, training: str | None = None, seed: int = 0, verify: bool = True, **options: Any
    ) -> Report:
        """Write one training step (forward, backward, update) as ONNX, and beside it `.npz`, the untrained weights that it begins with.

        step: which one, where the training has several; seed: of the weights and of draws; options: opset=21. See docs/onnx.md.
        """
        from runtime.memory import enough_memory
        from runtime.train.initializers import initialize

        numbers(0, seed=seed)
        chosen = self.training(training)
        with enough_memory():
            items: tuple[Weight | State, ...] = (*chosen.weights, *chosen.states)
            start = {item.address: initialize(item, seed) for item in items}
        return export_step(chosen, start, path, step=step, spec_path=self.path, seed=seed, verify=verify, **options)


def numbers(low: int, **given: Any) -> None:
    """SpecError for an argument that is no whole number of at least `low`; None is an argument that is left out."""
    from operator import index

    from dslc.usage import BadArgument

    for name, value in given.items():
        try:
            good = value is None or (not isinstance(value, bool) and low <= index(value) < 2**63)
        except TypeError:
            good = False
        if not good:
            detail = f"{name}: a whole number of at least {low} is needed, not {value!r}"
            raise SpecError(BadArgument(detail=detail, usage=f"{name}={max(low, 1)}"))


def one_of(name: str, value: Any, known: tuple[str, ...]) -> None:
    """SpecError for a word that is none of those that an argument takes."""
    from dslc.usage import BadArgument

    if value not in known:
        words = " or ".join(repr(word) for word in known)
        raise SpecError(BadArgument(detail=f"{name}: {words} is needed, not {value!r}", usage=f"{name}={known[0]!r}"))


def paths(**given: Any) -> None:
    """SpecError for an argument that is no path."""
    from dslc.usage import BadArgument

    for name, value in given.items():
        if value is not None and not isinstance(value, str | Path):
            raise SpecError(BadArgument(detail=f"{name}: a path is needed, not {value!r}", usage=f"{name}='folder/name'"))


def refuse_unknown(name: str, function: Callable[..., Any], unknown: Mapping[str, Any]) -> None:
    """SpecError for a keyword that a function does not have, with the nearest that it has."""
    from inspect import signature

    from dslc.usage import BadArgument, advice

    known = [key for key in signature(function).parameters if key != "unknown"]
    for key in unknown:
        raise SpecError(
            BadArgument(
                detail=f"`{name}` has no argument `{key}`: {advice(key, known, 'see docs/python.md')}", usage=f"{name}({', '.join(known)})"
            )
        )


def refuse_with_resume(given: Mapping[str, Any]) -> None:
    """A run that is continued keeps its seed and its folder: SpecError where another one is named."""
    from dslc.usage import BadArgument

    for name, value in given.items():
        if value is not None:
            detail = f"{name} has no meaning with a run that is continued, which keeps its own"
            raise SpecError(BadArgument(detail=detail, usage=f"give no {name}, or start a new run"))


class Network:
    """One network of a spec: what it takes and gives, its parameters, and its way to ONNX without training."""

    def __init__(self, program: NetworkProgram, spec: Spec) -> None:
        self.program = program
        self.spec = spec
        self.name = program.name

    def __repr__(self) -> str:
        return f"Network({self.name!r}: {self.parameter_count:,} parameters)"

    @property
    def inputs(self) -> dict[str, TensorType]:
        return {port.name: port.type for port in self.program.inputs}

    @property
    def outputs(self) -> dict[str, TensorType]:
        return {port.name: port.type for port in self.program.outputs}

    @property
    def parameters(self) -> dict[str, TensorType]:
        """The trained tensors: address -> type."""
        return {weight.address: weight.type for weight in self.program.weights}

    @property
    def parameter_count(self) -> int:
        from dslc.show import parameter_count

        return parameter_count(self.program)

    def summary(self) -> Summary:
        """The layer table; `print(net.summary())`."""
        from dslc.show import make_summary

        return make_summary(self.program)

    def draw(self, path: str | Path) -> None:
        """Draw the network into an SVG file."""
        from dslc.files import svg_path, write_file
        from exporters.svg import graph_svg

        write_file(svg_path(str(path)), graph_svg(self.program))

    def initial(self, seed: int = 0) -> Arrays:
        """Weights and states as training begins with them."""
        from runtime.memory import enough_memory
        from runtime.train.initializers import initialize

        items: tuple[Weight | State, ...] = (*self.program.weights, *self.program.states)
        with enough_memory():
            return {item.address: initialize(item, seed) for item in items}

    def export(self, path: str | Path, *, seed: int = 0, verify: bool = True, **options: Any) -> Report:
        """Write the untrained network as ONNX; the report says what was checked. Raises where a check fails: then there is no file.

        options: opset=21 (13 … 28), flat=False (True: no function for each block of the file), fold_batch_norm=False (True: batch
        normalisation becomes part of the weights before it), dtype="f32" ("f16": half precision), external_data (True: the weights
        stand in FILE.data beside the model; a name: in this file, as safetensors if it ends so), external_data_above (bytes of weights
        from which on they do by themselves, 1.5 GiB); see docs/onnx.md.
        """
        return export(self.program, self.initial(seed), path, spec_path=self.spec.path, verify=verify, **options)


class Run:
    """A run folder: the trained parameters with the spec that they were trained by."""

    def __init__(self, saved: SavedRun) -> None:
        self.saved = saved
        self.folder: Path = saved.folder
        self.program: Program = saved.program
        self.notes: tuple[str, ...] = saved.notes

    @classmethod
    def open(cls, path: str | Path, *, checkpoint: Literal["best", "last"] = "best", mapped: bool = False) -> Run:
        """Open what `dslc train` wrote. Raises DataError where it is no run or is damaged.

        mapped: the parameters stay in the file and are read where they are used (they cannot be written then), so that an export of
        large networks needs little memory.
        """
        from runtime.train.run import open_run

        one_of("checkpoint", checkpoint, ("best", "last"))
        paths(path=path)
        return cls(open_run(Path(path), checkpoint, mapped=mapped))

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}, {self.saved.checkpoint})"

    @property
    def training(self) -> Training:
        return self.program.trainings[self.saved.training]

    @property
    def parameters(self) -> Arrays:
        """Weights and states by address."""
        parameters: Arrays = self.saved.parameters
        return parameters

    @property
    def history(self) -> list[dict[str, Any]]:
        """The lines of `metrics.jsonl`."""
        history: list[dict[str, Any]] = self.saved.history
        return history

    @cached_property
    def step(self) -> Step:
        """The training compiled, with the run's parameters, at batches of `CHUNK` samples."""
        from runtime.step import compile_step

        step = compile_step(self.program, training=self.saved.training, batch_size=CHUNK)
        step.load(self.parameters)
        return step

    def inputs(self, *, direct: bool = False) -> dict[str, TensorType]:
        """What `predict` takes: data fields by name (`image`); with `direct` what `forward` takes: the network's own inputs."""
        if direct:
            return {port.name: port.type for port in self.program.networks[self.training.networks[0]].inputs}
        graph = self.training.predict
        fields = [(item.name, graph.types[item.id]) for item in graph.inputs if item.kind == "data"]
        return {self.short(name): type for name, type in fields}

    def short(self, name: str) -> str:
        """`data.image` as `image`, where the training has one data source."""
        return name.partition(".")[2] if len(self.training.data) == 1 else name

    def predict(self, **fields: Any) -> Arrays:
        """Outputs of the network for data as the spec's `train` takes it: `predict(image=pixels)` with pixels 0 … 255 (R18).

        Arrays have the batch as their first axis; any number of samples. Where a spec has several data sources, fields are called
        `SOURCE.FIELD` (pass them as `**{"left.image": x}`).
        """
        arrays = fitting(fields, self.inputs())
        long = {self.short(item.name): item.name for item in self.training.predict.inputs}
        return in_chunks(self.step.predict, {long[name]: array for name, array in arrays.items()})

    def forward(self, **inputs: Any) -> Arrays:
        """Outputs of the network for its own inputs: `forward(image=pixels / 255)`."""
        return in_chunks(lambda arrays: self.step.forward(**arrays), fitting(inputs, self.inputs(direct=True)))

    def sample(
        self,
        count: int,
        *,
        network: str | None = None,
        seed: int = 0,
        split: str | None = None,
        data_dir: str | Path | None = None,
    ) -> Arrays:
        """Outputs of a network for `count` inputs drawn from the standard normal distribution, by sample number.

        split: instead the outputs of the network that `train` calls first, for the first samples of that split.
        """
        from dslc.usage import BadArgument
        from runtime.sampling import normal_inputs
        from runtime.train.inputs import load_inputs
        from runtime.train.run import data_folder

        numbers(1, count=count)
        numbers(0, seed=seed)
        paths(data_dir=data_dir)
        first = self.training.networks[0]
        if split is None:
            chosen = choose(self.program, "network", network or first)
            return in_chunks(lambda arrays: self.step.forward_of(chosen, arrays), normal_inputs(chosen, count, seed))
        if network not in (None, first):
            detail = f"data reaches the network `{first}`, which `train` calls first, not `{network}`"
            raise SpecError(BadArgument(detail=detail, usage=f"network={first!r}"))
        folder = Path(data_dir) if data_dir is not None else None
        inputs = load_inputs(self.training, data_folder(self.saved), folder, self.saved.meta["seed"])
        inputs.require(split)
        read = {item.name for item in self.training.predict.inputs if item.kind == "data"}
        fields = {name: array for name, array in inputs.take(split, slice(0, count)).items() if name in read}
        return in_chunks(self.step.predict, fields)

    def evaluate(self, split: str = "test", *, data_dir: str | Path | None = None) -> dict[str, Any]:
        """Loss and metrics over a whole split: floats, and arrays for metrics that have axes."""
        import numpy

        from runtime.train.inputs import load_inputs
        from runtime.train.loop import evaluate
        from runtime.train.run import data_folder

        paths(data_dir=data_dir)
        folder = Path(data_dir) if data_dir is not None else None
        inputs = load_inputs(self.training, data_folder(self.saved), folder, self.saved.meta["seed"])
        values: dict[str, Any] = evaluate(self.step, inputs, split, CHUNK)
        return {name: numpy.asarray(value) if isinstance(value, list) else value for name, value in values.items()}

    def export(self, path: str | Path, *, network: str | None = None, verify: bool = True, **options: Any) -> Report:
        """Write the trained network as ONNX, with class labels and the input contract in its metadata; options as `Network.export`."""
        names = self.training.networks
        chosen = choose(self.program, "network", network or (names[0] if len(names) == 1 else None))
        classes = next((source.classes for source in self.training.data if source.classes), ())
        contract = self.training.contract if chosen.name == names[0] else {}
        parameters = self.parameters
        given: dict[str, Any] = {"spec_path": self.folder / "spec.nn", "classes": classes, "contract": contract, "verify": verify}
        if options.get("dtype") == "f16" and verify and chosen.name == names[0]:
            given["samples"] = self.samples(chosen)
        return export(chosen, parameters, path, checkpoint=self.saved.file, **given, **options)

    def samples(self, network: NetworkProgram) -> tuple[Arrays, str] | None:
        """What the network that `train` calls first reads for samples of the evaluated split, and words about them; None without data."""
        from runtime.samples import network_samples
        from runtime.train.inputs import load_inputs
        from runtime.train.run import data_folder

        try:
            inputs = load_inputs(self.training, data_folder(self.saved), None, self.saved.meta["seed"])
        except DataError:
            return None
        split = inputs.evaluated()
        count = min(CHUNK, inputs.count(split))
        arrays = network_samples(self.training, network, self.parameters, inputs, count)
        return (arrays, f"the first {count} of the {split} split") if arrays else None

    def export_step(self, path: str | Path, *, step: str | None = None, verify: bool = True, **options: Any) -> Report:
        """Write one step of the run's training as ONNX, as `Spec.export_step`, to go on where the run stands.

        Its weights, its states, what its optimizer keeps, averages and the number of updates are taken over from the checkpoint that was
        opened: `Run.open(path, checkpoint="last")` is where the run stopped.
        """
        source, seed = self.folder / "spec.nn", int(self.saved.meta["seed"])
        given: dict[str, Any] = {"step": step, "spec_path": source, "seed": seed, "verify": verify}
        return export_step(self.training, self.parameters, path, state=self.saved.state, **given, **options)


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
    from dslc.usage import BadArgument

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
    network: NetworkProgram,
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


def fitting(given: Mapping[str, Any], wanted: Mapping[str, TensorType]) -> Arrays:
    """Arrays by name, checked: all are there, no other, of the right shape and dtype (cast where every number keeps its value)."""
    from dslc.usage import BadInput
    from dslc.usage import advice as nearest
    from runtime.data.fit import fit
    from runtime.runner import as_array

    for name in given:
        if name not in wanted:
            hint = nearest(name, wanted, f"the inputs are {', '.join(wanted)}")
            raise DataError(BadInput(detail=f"there is no input `{name}`", advice=hint))
    missing = [name for name in wanted if name not in given]
    if missing:
        types = ", ".join(f"{name}: {type}" for name, type in wanted.items())
        raise DataError(BadInput(detail=f"the input `{missing[0]}` is missing", advice=f"the inputs are {types}"))
    arrays: Arrays = fit({name: as_array(name, value) for name, value in given.items()}, wanted, (), {}, "the input")
    return arrays


def in_chunks(run: Callable[[Arrays], Mapping[str, np.ndarray]], arrays: Arrays) -> Arrays:
    """`run` over batches of at most `CHUNK` samples, its results joined."""
    import numpy as np

    count = len(next(iter(arrays.values())))
    pieces = [run({name: array[at : at + CHUNK] for name, array in arrays.items()}) for at in range(0, count, CHUNK)]
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
