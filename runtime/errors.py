"""Diagnostics of the runtime."""

from __future__ import annotations

from dataclasses import dataclass

from dslc.diagnostics import Diagnostic


@dataclass(frozen=True, kw_only=True)
class UnknownDevice(Diagnostic):
    device: str
    code = "unknown-device"
    words = "there is no device `{device}`"
    hint = "the devices are `numpy`, `cpu`, `cuda` and `auto`"


@dataclass(frozen=True, kw_only=True)
class MissingDevice(Diagnostic):
    device: str
    reason: str
    action: str
    code = "missing-device"
    words = "the device `{device}` cannot be used: {reason}"
    hint = "{action}"


@dataclass(frozen=True, kw_only=True)
class CannotRun(Diagnostic):
    """Something that can be checked but that this version does not run."""

    what: str
    where: str
    code = "cannot-run"
    words = "{what} can be checked but not run in this version ({where})"


@dataclass(frozen=True, kw_only=True)
class BadParameter(Diagnostic):
    address: str
    reason: str
    code = "bad-parameter"
    words = "`{address}` does not fit: {reason}"


@dataclass(frozen=True, kw_only=True)
class BadField(Diagnostic):
    field: str
    reason: str
    code = "bad-field"
    words = "`{field}` does not fit: {reason}"


@dataclass(frozen=True, kw_only=True)
class Diverged(Diagnostic):
    what: str
    first: str
    advice: str = "nothing was updated: try a smaller rate, `clip: norm(1)`, or look at the data"
    code = "diverged"
    words = "{what} is not finite; the first value that is not finite comes from {first}"
    hint = "{advice}"
