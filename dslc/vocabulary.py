"""The words of settings and sources, as tables: initialisers, optimizers, schedules, clips, starts, data sources and data sets.

A row is a signature in the notation of the operator rows. `runs` is False for what can be checked but not run yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dslc.syntax.ast import Signature


@dataclass(frozen=True)
class Range:
    """What a number may be: `low <= x <= high`; an open end excludes its bound."""

    low: float | None = None
    high: float | None = None
    open_low: bool = False
    open_high: bool = False

    def holds(self, value: float) -> bool:
        above = self.low is None or value > self.low or (value == self.low and not self.open_low)
        below = self.high is None or value < self.high or (value == self.high and not self.open_high)
        return above and below

    def __str__(self) -> str:
        parts = []
        if self.low is not None:
            parts.append(f"{'above' if self.open_low else 'at least'} {self.low:g}")
        if self.high is not None:
            parts.append(f"{'below' if self.open_high else 'at most'} {self.high:g}")
        return " and ".join(parts)


POSITIVE = Range(low=0, open_low=True)
NOT_NEGATIVE = Range(low=0)
DECAY = Range(low=0, high=1, open_high=True)
PART = Range(low=0, high=1)
AT_LEAST_1 = Range(low=1)
SHRINK = Range(low=0, high=1, open_low=True)
INSIDE = Range(low=0, high=1, open_low=True, open_high=True)


@dataclass(frozen=True)
class Word:
    """One callable word: `text` is its signature, `ranges` bound its numbers, `ordered`: the first of two is below the second."""

    text: str
    doc: str
    ranges: Mapping[str, Range] = field(default_factory=dict)
    runs: bool = True
    ordered: tuple[str, str] | None = None
    needs: Mapping[str, str] = field(default_factory=dict)  # a flag, and the number that must not be 0 with it
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # what a string may be
    rank: int = 0  # the fewest axes of a weight that the initialiser is for

    @property
    def name(self) -> str:
        return self.text[: self.text.index("(")]

    @cached_property
    def signature(self) -> Signature:
        from dslc.syntax.parse import parse_signature

        return parse_signature(f"{self.text} -> word")


def table(*rows: Word) -> dict[str, Word]:
    return {row.name: row for row in rows}


FANS = ("in", "out", "average")
INITIALISERS = table(
    Word("zeros()", "0 everywhere"),
    Word("ones()", "1 everywhere"),
    Word("constant(value: float)", "one value everywhere"),
    Word("uniform(low: float = -0.05, high: float = 0.05)", "evenly between low and high", ordered=("low", "high")),
    Word("normal(mean: float = 0.0, std: float = 0.01)", "the normal distribution", {"std": NOT_NEGATIVE}),
    Word("truncated_normal(mean: float = 0.0, std: float = 0.01, limit: float = 2.0)", "normal, at most `limit` times std from the mean",
         {"std": NOT_NEGATIVE, "limit": Range(low=0.5)}),
    Word('xavier(fan: string = "average", uniform: bool = true, gain: float = 1.0)',
         "of variance gain² / fan: uniform in ±√(6 / (fan in + fan out)) (Glorot and Bengio 2010)", {"gain": POSITIVE},
         choices={"fan": FANS}),
    Word('he(fan: string = "in", uniform: bool = false, slope: float = 0.0)',
         "of variance 2 / ((1 + slope²) · fan): normal with std √(2 / fan in) (He et al. 2015)", {"slope": NOT_NEGATIVE},
         choices={"fan": FANS}),
    Word('lecun(fan: string = "in", uniform: bool = false)', "of variance 1 / fan: normal with std √(1 / fan in) (LeCun et al. 1998)",
         choices={"fan": FANS}),
    Word("orthogonal(gain: float = 1.0)", "gain times a matrix with orthonormal rows or columns (Saxe et al. 2014)", {"gain": POSITIVE},
         rank=2),
    Word("bilinear()", "kernels of a transposed convolution that interpolate (Long et al. 2015)", rank=3),
    Word("sparse(nonzero: int = 15, std: float = 1.0)", "`nonzero` normal weights for each unit, 0 elsewhere (Martens 2010)",
         {"nonzero": AT_LEAST_1, "std": NOT_NEGATIVE}, rank=2),
    Word("identity(gain: float = 1.0)", "gain on the diagonal; a kernel passes its channels on (Le et al. 2015)", rank=2),
)  # fmt: skip

REGULAR = "weight_decay: float = {decay}, l1: float = 0.0"
BETAS = "beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8"
NUMBERS = {  # of every optimizer
    "rate": NOT_NEGATIVE, "momentum": DECAY, "decay": DECAY, "beta1": DECAY, "beta2": DECAY, "eps": POSITIVE, "initial": NOT_NEGATIVE,
    "weight_decay": NOT_NEGATIVE, "l1": NOT_NEGATIVE,
}  # fmt: skip


def optimizer(name: str, own: str, doc: str, decay: str = "0.0", after: str = "", **more: Any) -> Word:
    """A row with the settings that every optimizer has."""
    settings = ", ".join(part for part in (own, REGULAR.format(decay=decay), after) if part)
    names = {setting.partition(":")[0] for setting in settings.split(", ")}
    return Word(f"{name}({settings})", doc, {key: limits for key, limits in NUMBERS.items() if key in names}, **more)


OPTIMIZERS = table(
    optimizer("sgd", "rate: float, momentum: float = 0.0", "gradient descent, with momentum or Nesterov's (Sutskever et al. 2013)",
              after="nesterov: bool = false, decoupled: bool = false", needs={"nesterov": "momentum"}),
    optimizer("caffe_sgd", "rate: float, momentum: float = 0.9",
              "gradient descent with Caffe's momentum: the rate is part of the velocity (Jia et al. 2014)",
              after="nesterov: bool = false", needs={"nesterov": "momentum"}),
    optimizer("adagrad", "rate: float, initial: float = 0.0, eps: float = 1e-10", "divides by the root of all squares (Duchi et al. 2011)"),
    optimizer("rmsprop", "rate: float, decay: float = 0.99, momentum: float = 0.0, eps: float = 1e-8",
              "divides by the running root mean square (Hinton 2012)", after="centered: bool = false"),
    optimizer("adadelta", "rate: float = 1.0, decay: float = 0.95, eps: float = 1e-6", "steps of the size of past steps (Zeiler 2012)"),
    optimizer("adam", f"rate: float, {BETAS}", "running mean over running root mean square (Kingma and Ba 2015)"),
    optimizer("adamw", f"rate: float, {BETAS}", "Adam with decoupled decay (Loshchilov and Hutter 2019)", "0.01"),
    optimizer("amsgrad", f"rate: float, {BETAS}", "Adam that divides by the largest root mean square so far (Reddi et al. 2018)"),
    optimizer("nadam", f"rate: float, {BETAS}", "Adam with Nesterov's momentum (Dozat 2016)"),
    optimizer("radam", f"rate: float, {BETAS}", "Adam that rectifies its first steps (Liu et al. 2020)"),
    optimizer("adamax", f"rate: float, {BETAS}", "Adam by the largest gradient (Kingma and Ba 2015)"),
    optimizer("lion", "rate: float, beta1: float = 0.9, beta2: float = 0.99",
              "the sign of a momentum, decoupled decay (Chen et al. 2023)"),
    optimizer("lamb", "rate: float, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-6",
              "Adam with steps in proportion to the norm of each weight (You et al. 2020)", "0.01"),
)  # fmt: skip

UNITS = ("epoch", "step")
TIMES: dict[str, Range] = {  # of every schedule
    "warmup": NOT_NEGATIVE, "every": POSITIVE, "factor": SHRINK, "at": POSITIVE, "decay": SHRINK, "k": NOT_NEGATIVE, "power": POSITIVE,
    "final": PART, "middle": NOT_NEGATIVE, "period": POSITIVE, "mult": AT_LEAST_1, "start": PART, "rise": INSIDE, "patience": AT_LEAST_1,
    "threshold": NOT_NEGATIVE, "min": PART,
}  # fmt: skip


def schedule(name: str, own: str, doc: str, after: str = "", *, unit: bool = False, warmup: bool = True) -> Word:
    """A row with `warmup`, and with `unit` where times are given."""
    parts = (own, "warmup: float = 0.0" if warmup else "", after, 'unit: string = "epoch"' if unit else "")
    settings = ", ".join(part for part in parts if part)
    names = {setting.partition(":")[0] for setting in settings.split(", ")}
    ranges = {key: limits for key, limits in TIMES.items() if key in names}
    return Word(f"{name}({settings})", doc, ranges, choices={"unit": UNITS} if unit else {})


SCHEDULES = table(
    schedule("constant", "", "the rate as it is"),
    schedule("step", "every: float, factor: float = 0.1", "times `factor` after every `every` epochs", unit=True),
    schedule("multistep", "at: list[float], factor: float = 0.1", "times `factor` at each of these epochs", unit=True),
    schedule("exponential", "decay: float", "times `decay` an epoch, smoothly: decay^t", unit=True),
    schedule("natural_exponential", "k: float", "e^(-k·t), t in epochs", unit=True),
    schedule("inverse_time", "k: float, power: float = 1.0", "(1 + k·t)^-power, t in epochs (Caffe's inv)", unit=True),
    schedule("polynomial", "power: float = 1.0, final: float = 0.0", "from 1 to `final` at the end as (1 - part)^power"),
    schedule("sigmoid", "k: float, middle: float", "1 / (1 + e^(k·(t - middle))), t in epochs", unit=True),
    schedule("cosine", "", "half a cosine from 1 to `final` at the end", after="final: float = 0.0"),
    schedule("cosine_restarts", "period: float, mult: float = 1.0, final: float = 0.0",
             "half a cosine from 1 to `final` in `period` epochs, then anew, `mult` times as long (SGDR)", unit=True),
    schedule("one_cycle", "rise: float = 0.3, start: float = 0.04, final: float = 4e-6, linear: bool = false",
             "from `start` to 1 in the part `rise` of all steps, then down to `final` (Smith and Topin 2018)", warmup=False),
    schedule("plateau", "factor: float = 0.1, patience: int = 10", "times `factor` when the metric stops improving",
             after="threshold: float = 0.0, min: float = 0.0"),
)  # fmt: skip

CLIPS = table(
    Word("norm(limit: float)", "scale all gradients so that their common norm is at most `limit`", {"limit": POSITIVE}),
    Word("value(limit: float)", "limit every component to ±`limit`", {"limit": POSITIVE}),
    Word("each(limit: float)", "scale the gradient of each weight so that its own norm is at most `limit`", {"limit": POSITIVE}),
)

CONSTRAINTS = table(
    Word("max_norm(limit: float)", "scale the weights of each unit so that their norm is at most `limit` (Srivastava et al. 2014)",
         {"limit": POSITIVE}),
    Word("unit_norm()", "scale the weights of each unit to the norm 1"),
    Word("non_negative()", "weights below 0 become 0"),
)  # fmt: skip

STARTS = table(
    Word('checkpoint(path: string, skip: names = none, rename: list[string] = none, reshape: bool = false, which: string = "best")',
         "weights of an earlier run or of a .safetensors file, without those that match `skip`", choices={"which": ("best", "last")})
)  # fmt: skip

SOURCES = table(
    Word("csv(path: string, inputs: list[string], target: names = none, label: string = none, split: list[float] = none)",
         "columns of a CSV file: fields `input`, `target`, `label`"),
    Word("npz(path: string, split: list[float] = none, whole: list[string] = none)", "the arrays of a NumPy archive, by their keys"),
    Word("idx(images: string, labels: string, test_images: string = none, test_labels: string = none, split: list[float] = none)",
         "images and labels as MNIST stores them: fields `image`, `label`"),
    Word("text(path: string, unit: string = \"char\", vocab: int, window: int)", "windows of a text: fields `text`, `next`",
         {"vocab": AT_LEAST_1, "window": AT_LEAST_1}, runs=False),
    Word("images(path: string, size: int, channels: int = 3)", "a folder of pictures for each class: fields `image`, `label`",
         {"size": AT_LEAST_1, "channels": Range(low=1, high=4)}),
)  # fmt: skip


@dataclass(frozen=True)
class Known:
    """A data set of the registry. `fields`: types; `settings`: what `dataset(name, ...)` takes for it; `sizes`: settings that are sizes."""

    name: str
    fields: Mapping[str, str]
    classes: tuple[str, ...] = ()
    settings: str = ""
    doc: str = ""
    runs: bool = True


FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
DIGITS = tuple("0123456789")
DATASETS: dict[str, Known] = {
    row.name: row
    for row in (
        Known("fashion-mnist", {"image": "u8[batch, 1, 28, 28]", "label": "u8[batch]"}, FASHION, doc="Zalando's 70,000 articles"),
        Known("digits", {"image": "u8[batch, 64]", "label": "u8[batch]"}, DIGITS, doc="1,797 handwritten digits, 8×8, 0 … 16 (UCI)"),
        Known(
            "collage",
            {"image": "u8[batch, 1, 64, 64]", "label": "u8[batch, 64, 64]", "kind": "u8[batch, 64, 64]"},
            doc="garments of the Fashion-MNIST slice on a canvas; the class (0: none) and kind of each pixel",
        ),
        Known("diabetes", {"input": "f32[batch, 10]", "target": "f32[batch]"}, doc="progression in 442 patients (Efron et al. 2004)"),
        Known(
            "anes96",
            {"number": "f32[batch, 4]", "category": "u8[batch, 5]", "label": "u8[batch]"},
            ("Clinton", "Dole"),
            doc="whom 944 people would vote for (American National Election Study 1996)",
        ),
        Known("digits-28", {"image": "u8[batch, 1, 28, 28]", "label": "u8[batch]"}, DIGITS, doc="handwritten digits, 28×28", runs=False),
        Known(
            "dates",
            {
                "source": "i64[batch, time]",
                "length": "i64[batch]",
                "target_in": "i64[batch, steps]",
                "target": "i64[batch, steps]",
            },
            doc="dates in many forms to ISO form, by characters; 0 pads",
            runs=False,
        ),
        Known(
            "copy",
            {"input": "f32[batch, time, bits]", "target": "f32[batch, time, bits]", "mask": "bool[batch, time, bits]"},
            settings="length: list[int] = [1, 20], bits: int = 8",
            doc="copy a sequence of bits (Graves et al. 2014)",
        ),
    )
}
