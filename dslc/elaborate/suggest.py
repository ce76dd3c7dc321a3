"""The nearest right name, from the tables that the compiler itself uses, and words of other libraries."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

from dslc.diagnostics import Edit, Fix
from dslc.source import Span

MOST_NAMES = 2000  # beyond this no name is suggested: the comparison is quadratic in the lengths
MOST_EDITS = 2  # a fix changes no more characters than this

# Words of other libraries and languages, with what they may be called here; the first one that exists is meant.
FOREIGN: dict[str, tuple[str, ...]] = {
    "float32": ("f32",), "float": ("f32",), "float64": ("f64",), "double": ("f64",), "int32": ("i32",), "int64": ("i64",),
    "int": ("i64",), "long": ("i64",), "uint8": ("u8",), "byte": ("u8",), "boolean": ("bool",),
    "lr": ("rate",), "learning_rate": ("rate",), "p": ("rate",), "prob": ("rate",), "alpha": ("rate",),
    "filters": ("channels", "units"), "out_channels": ("channels",), "kernel_size": ("kernel",), "pool_size": ("kernel",),
    "strides": ("stride",), "padding": ("pad",), "use_bias": ("bias",), "dim": ("axis",), "epsilon": ("eps",),
    "units": ("channels", "features"), "channels": ("units",), "out_features": ("units", "channels"), "features": ("units", "channels"),
    "hidden": ("units", "channels"), "num_embeddings": ("count",), "embedding_dim": ("features",), "beta": ("momentum",),
    "batch": ("batch_size",), "batchsize": ("batch_size",), "num_epochs": ("epochs",), "n_epochs": ("epochs",), "max_steps": ("steps",),
    "max_epochs": ("epochs",), "scheduler": ("schedule",), "lr_schedule": ("schedule",), "criterion": ("loss",),
    "objective": ("loss",), "metrics": ("metric",), "grad_clip": ("clip",), "gradient_clip": ("clip",),
    "linear": ("dense",), "conv2d": ("conv",), "conv1d": ("conv",), "maxpool": ("max_pool",), "maxpool2d": ("max_pool",),
    "avgpool": ("avg_pool",), "batchnorm": ("batch_norm",), "batchnorm2d": ("batch_norm",), "layernorm": ("layer_norm",),
    "cat": ("concat",), "concatenate": ("concat",), "crossentropy": ("cross_entropy",), "bce": ("binary_cross_entropy",),
    "permute": ("transpose",), "view": ("reshape",), "im2col": ("unfold",), "col2im": ("fold",), "maxunpool2d": ("max_unpool",),
    "max_unpool2d": ("max_unpool",), "lppool2d": ("lp_pool",), "lp_pool2d": ("lp_pool",), "zero_padding2d": ("pad_spatial",),
    "zeropadding2d": ("pad_spatial",), "reflectionpad2d": ("pad_spatial",), "replicationpad2d": ("pad_spatial",),
    "circularpad2d": ("pad_spatial",), "locallyconnected2d": ("local_conv",), "pixelshuffle": ("pixel_shuffle",),
    "pixelunshuffle": ("pixel_unshuffle",),
    "kappa": ("cohen_kappa",), "auc": ("roc_auc",), "mcc": ("matthews",), "matthews_corrcoef": ("matthews",), "jaccard": ("iou",),
    "f1_score": ("f1",), "r2_score": ("r2",), "dice_loss": ("dice",), "mean_squared_error": ("mse",), "mean_absolute_error": ("mae",),
    "l1_loss": ("mae",), "mse_loss": ("mse",), "huber_loss": ("huber",), "nll_loss": ("nll",), "kl_div": ("kl_divergence",),
}  # fmt: skip


def nearest(word: str, names: Iterable[str]) -> str:
    """The name that `word` was probably meant to be, or ""."""
    every = list(dict.fromkeys(names))
    for name in FOREIGN.get(word.lower(), ()):
        if name in every:
            return name
    known = [name for name in every if name != word and abs(len(name) - len(word)) <= 4][:MOST_NAMES]
    folded = {name.lower(): name for name in known}
    if word.lower() in folded:
        return folded[word.lower()]
    near = get_close_matches(word[:64], known, n=1, cutoff=0.6)
    return near[0] if near else ""


def rename(span: Span, name: str, names: Iterable[str] = ()) -> Fix | None:
    """The fix that writes the nearest name, where it is certain enough: two edits at most, and no other name of `names` as near."""
    if not name or not certain(span.text.strip('"'), name.strip('"'), names):
        return None
    return Fix(f"write `{name}`", (Edit(span, name),))


def certain(word: str, name: str, names: Iterable[str] = ()) -> bool:
    """Whether `word` is a slip of `name`: a third of the letters differ at most, two of them, and not digits alone."""
    if name in FOREIGN.get(word.lower(), ()) or word.lower() == name.lower():
        return True
    edits = distance(word, name)
    if edits > MOST_EDITS or 3 * edits > max(len(word), len(name)) or re.sub(r"\d+", "", word) == re.sub(r"\d+", "", name):
        return False
    return all(other == name or distance(word, other) > edits for other in list(names)[:MOST_NAMES])


def distance(left: str, right: str) -> int:
    """Insertions, deletions, replacements and swaps of neighbours; what is clearly more than `MOST_EDITS` is not counted out."""
    if abs(len(left) - len(right)) > MOST_EDITS or max(len(left), len(right)) > 64:
        return MOST_EDITS + 1
    before, row = [0] * (len(right) + 1), list(range(len(right) + 1))
    for at, char in enumerate(left):
        above, before, row = before, row, [at + 1]
        for to, other in enumerate(right):
            row.append(min(before[to] + (char != other), before[to + 1] + 1, row[to] + 1))
            if at and to and char == right[to - 1] and left[at - 1] == other:
                row[-1] = min(row[-1], above[to - 1] + 1)
    return row[-1]


def meant(name: str) -> str:
    """`: did you mean `name`?`, or nothing."""
    return f": did you mean `{name}`?" if name else ""


def listed(names: Iterable[str], limit: int = 12) -> str:
    """`a`, `b` and `c`; at most `limit` of them."""
    known = [f"`{name}`" for name in names]
    if not known:
        return "none"
    if len(known) > limit:
        return ", ".join(known[:limit]) + " …"
    return known[0] if len(known) == 1 else f"{', '.join(known[:-1])} and {known[-1]}"
