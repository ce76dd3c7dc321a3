"""What can go wrong in an export. All of it means: no file was written."""

from __future__ import annotations

from dataclasses import dataclass

from dslc.diagnostics import Diagnostic


@dataclass(frozen=True, kw_only=True)
class NotExportable(Diagnostic):
    """An operator that has no ONNX form."""

    operator: str
    place: str
    reason: str

    code = "onnx-unsupported"
    words = "`{operator}` at {place} has no ONNX form: {reason}"
    hint = "leave it out of the network's outputs; losses, draws and gradients belong into `train`"


@dataclass(frozen=True, kw_only=True)
class CheckFailed(Diagnostic):
    """A checker refused the model; a fault of the exporter."""

    check: str
    detail: str

    code = "onnx-check"
    words = "the exported model does not pass {check}: {detail}"
    hint = "no file was written; this is a fault of dslc, please report it with the spec"


@dataclass(frozen=True, kw_only=True)
class ParityFailed(Diagnostic):
    """A runtime computes something else than the reference interpreter."""

    backend: str
    sizes: str
    output: str
    difference: str
    node: str

    code = "onnx-parity"
    words = "{backend} computes another `{output}` at {sizes}: {difference}; first at {node}"
    hint = "no file was written; this is a fault of dslc or of {backend}, please report it with the spec"


@dataclass(frozen=True, kw_only=True)
class BadParameters(Diagnostic):
    """The parameters handed in do not fit the network."""

    detail: str

    code = "onnx-parameters"
    words = "the parameters do not fit the network: {detail}"


@dataclass(frozen=True, kw_only=True)
class BadExternalData(Diagnostic):
    """Weights in a file beside the model that cannot be used as they are. tensor: its name, or the file's."""

    tensor: str
    problem: str

    code = "onnx-external"
    words = "the external data of `{tensor}` cannot be used: {problem}"


@dataclass(frozen=True, kw_only=True)
class BeyondHalf(Diagnostic):
    """float16 ends at 65504."""

    name: str
    value: float

    code = "onnx-half-range"
    words = "{name} holds {value:.6g}, and float16 ends at 65504"
    hint = "export it in float32, without `--dtype f16`; weights as large as this come from a training that diverges"


@dataclass(frozen=True, kw_only=True)
class TooCoarse(Diagnostic):
    """The roundings of float16 move an output too far."""

    output: str
    moved: float
    largest: float

    code = "onnx-half-digits"
    words = "float16 has too few digits for this network: its roundings move `{output}` by {moved:.2g}, whose values go up to {largest:.2g}"
    hint = "export it in float32, without `--dtype f16`"


@dataclass(frozen=True, kw_only=True)
class Undecided(Diagnostic):
    """The roundings of float16 change an output that is no float."""

    output: str
    changed: int
    count: int

    code = "onnx-half-decision"
    words = "float16 has too few digits for `{output}`: its roundings alone change {changed:,} of its {count:,} values"
    hint = "export it in float32, without `--dtype f16`; or export the numbers that decide, and decide outside"


@dataclass(frozen=True, kw_only=True)
class TooLarge(Diagnostic):
    """Protobuf files end at 2 GiB."""

    network: str
    bytes: int

    code = "onnx-too-large"
    words = "`{network}` has {bytes:,} bytes of weights; an ONNX file holds less than 2 GiB"
    hint = "with `--external-data` the weights stand in a file beside the model, which has no limit"


@dataclass(frozen=True, kw_only=True)
class CannotWrite(Diagnostic):
    path: str
    reason: str

    code = "onnx-write"
    words = "cannot write {path}: {reason}"
