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

from dslc.checked import argument, numbers, one_of, paths, refuse_unknown, refuse_with_resume
from dslc.checked import threads as enough_threads
from dslc.diagnostics import DataError, Diagnostic, SpecError
from dslc.exports import Arrays, export, export_step
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
    from runtime.train.loop import RunResult
    from runtime.train.run import SavedRun

Device = Literal["numpy", "cpu", "cuda", "auto"]
CHUNK = 256  # samples that are predicted at once


def load(path: str | Path, /, *, precision: Literal["f32", "f64"] = "f32", strict: bool = False, **params: Any) -> Spec:
    """Check a spec and return it. `params` are values of its params (`lr=0.02`) and settings (`**{"train.epochs": 5}`).

    `path`: a file, or the bare name of a shipped spec ("lenet"). `strict` makes warnings errors. Raises SpecError with all diagnostics.
    """
    one_of("precision", precision, ("f32", "f64"))
    paths(path=path)
    overrides = tuple(Override(name, argument(value), "argument") for name, value in params.items())
    return Spec(path, overrides, DType(precision), strict)


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
        device: Device | None = None,
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
        device: None is "cpu", machine code, where that can be made, else "numpy", with a note that says why.
        resume: a run folder that is continued; its seed, its folder and, if none is named, its device stay.
        Raises DataError for data that does not fit, DivergedError where the loss, a gradient or a state is not finite.
        """
        from runtime.train.progress import make_progress

        refuse_unknown("train", self.train, unknown)
        numbers(1, max_steps=max_steps)
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
        enough_threads(more.get("threads"))
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
        numbers(1, batch_size=batch_size)
        numbers(0, seed=seed)
        enough_threads(threads)
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
