"""The nearest right name, from the tables that the compiler itself uses, and words of other libraries."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice

from dslc.diagnostics import Edit, Fix
from dslc.source import Span
from dslc.syntax.near import MOST_EDITS, distance, strangeness

MOST_NAMES = 2000  # beyond this no name is suggested: the comparison is quadratic in the lengths
NEAREST = 6  # names that are alike; the one with the fewest edits is meant
MOST_READ = 100_000  # characters that are looked through for words
MOST_LONE = 100  # names that nothing reads; of more of them none is suggested
LONG = 6  # letters of a name of which one slip says more than a word of another library

# Words of other libraries and languages, with what they may be called here; the first one that exists is meant.
FOREIGN: dict[str, tuple[str, ...]] = {
    "float32": ("f32",), "float": ("f32",), "float64": ("f64",), "double": ("f64", "float"), "int32": ("i32",), "int64": ("i64",),
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
    "yes": ("true",), "no": ("false",), "integer": ("int", "i64"), "str": ("string",), "number": ("float",), "longtensor": ("i64",),
    "floattensor": ("f32",), "fc": ("dense",), "innerproduct": ("dense",), "convolution": ("conv",), "convolution2d": ("conv",),
    "conv3d": ("conv",), "conv2dtranspose": ("conv_transpose",), "convtranspose2d": ("conv_transpose",),
    "deconvolution": ("conv_transpose",), "depthwiseconv2d": ("depthwise_conv",), "separableconv2d": ("separable_conv",),
    "maxpooling2d": ("max_pool",), "max_pool2d": ("max_pool",), "averagepooling2d": ("avg_pool",), "avgpool2d": ("avg_pool",),
    "avg_pool2d": ("avg_pool",), "globalaveragepooling2d": ("global_avg_pool",), "globalavgpool2d": ("global_avg_pool",),
    "globalmaxpooling2d": ("global_max_pool",), "batchnormalization": ("batch_norm",), "batch_normalization": ("batch_norm",),
    "layernormalization": ("layer_norm",), "groupnorm": ("group_norm",), "groupnormalization": ("group_norm",),
    "dropout2d": ("spatial_dropout",), "leakyrelu": ("leaky_relu",), "logsoftmax": ("log_softmax",), "lstmcell": ("lstm_cell",),
    "upsampling2d": ("upsample",), "localresponsenorm": ("lrn",), "reduce_mean": ("mean",), "reduce_sum": ("sum",),
    "crossentropyloss": ("cross_entropy",), "categorical_crossentropy": ("cross_entropy",),
    "sparse_categorical_crossentropy": ("cross_entropy",), "softmaxwithloss": ("cross_entropy",),
    "bcewithlogitsloss": ("binary_cross_entropy",), "binary_crossentropy": ("binary_cross_entropy",),
    "sigmoidcrossentropyloss": ("binary_cross_entropy",), "mseloss": ("mse",), "euclideanloss": ("mse",), "l1loss": ("mae",),
    "categorical_accuracy": ("accuracy",), "sparse_categorical_accuracy": ("accuracy",), "binaryaccuracy": ("binary_accuracy",),
    "cosineannealinglr": ("cosine",), "cosinedecay": ("cosine",), "multisteplr": ("multistep",), "steplr": ("step",),
    "glorot": ("xavier",), "glorot_uniform": ("xavier",), "xavier_uniform": ("xavier",), "glorotuniform": ("xavier",),
    "kaiming": ("he",), "he_normal": ("he",), "kaiming_normal": ("he",), "henormal": ("he",), "randomnormal": ("normal",),
    "gaussian": ("normal",), "truncatednormal": ("truncated_normal",), "trunc_normal": ("truncated_normal",),
    "load_dataset": ("dataset",), "filter_size": ("kernel",), "bias_term": ("bias",), "dilation_rate": ("dilation",),
    "dilations": ("dilation",), "group": ("groups",), "num_groups": ("groups",), "kernel_initializer": ("init",),
    "weight_filler": ("init",), "initializer": ("init",), "beta_1": ("beta1",), "beta_2": ("beta2",), "decay": ("weight_decay",),
    "l2": ("weight_decay",), "stddev": ("std",), "mu": ("momentum",), "warmup_epochs": ("warmup",), "warmup_steps": ("warmup",),
    "b1": ("beta1",), "b2": ("beta2",), "gamma": ("factor", "decay"), "milestones": ("at",), "step_size": ("every",),
    "negative_slope": ("slope",),
    "label_smoothing": ("smoothing",), "minibatch": ("batch_size",), "optim": ("optimizer",), "optimiser": ("optimizer",),
    "solver": ("optimizer",), "solver_type": ("optimizer",), "lr_scheduler": ("schedule",), "lr_policy": ("schedule",),
    "loss_fn": ("loss",), "clip_grad": ("clip",), "clip_gradients": ("clip",), "clipnorm": ("clip",), "max_iter": ("steps",),
    "iterations": ("steps",), "trainable": ("trains",), "var_list": ("trains",), "freeze": ("frozen",), "moving_average": ("ema",),
    "use_ema": ("ema",), "axes": ("axis",),
}  # fmt: skip


def nearest(word: str, names: Iterable[str]) -> str:
    """The name that `word` was probably meant to be, or ""."""
    every = list(dict.fromkeys(names))
    folded = {name.lower(): name for name in every if name != word}
    if word.lower() in folded:
        return folded[word.lower()]
    known = [name for name in every if name != word and abs(len(name) - len(word)) <= 4][:MOST_NAMES]
    foreign = [name for name in FOREIGN.get(word.lower(), ()) if name in every]
    if foreign and not any(len(name) >= LONG and distance(word, name) == 1 for name in known):
        return foreign[0]
    near = get_close_matches(word[:64], known, n=NEAREST, cutoff=0.6)
    return min(near, key=lambda name: (distance(word, name), strangeness(word, name))) if near else ""


def misspelt(word: str, names: Iterable[str]) -> str:
    """The name of a few of which `word` is certainly a slip, or ""."""
    few = list(islice(dict.fromkeys(names), MOST_LONE + 1))
    near = nearest(word, few) if len(few) <= MOST_LONE else ""
    return near if near and certain(word, near, few) else ""


def rename(span: Span, name: str, names: Iterable[str] = ()) -> Fix | None:
    """The fix that writes the nearest name, where it is certain enough: two edits at most, and no other name of `names` as near."""
    if not name or not certain(span.text.strip('"'), name.strip('"'), rivals(span, name, names)):
        return None
    return Fix(f"write `{name}`", (Edit(span, name),))


def only(span: Span, name: str, names: Iterable[str]) -> Fix | None:
    """The fix that writes the one name of a few that is a single slip away, also where only digits differ (`i6`)."""
    near = [other for other in names if distance(span.text, other) == 1]
    return Fix(f"write `{name}`", (Edit(span, name),)) if near == [name] else None


def rivals(span: Span, name: str, names: Iterable[str]) -> Iterable[str]:
    """The names that may be meant as well: where the text uses the nearest one elsewhere, only those that it uses too."""
    words = set(re.findall(r"\w+", span.source.text[:MOST_READ]))
    return [other for other in names if other in words] if name in words else names


def certain(word: str, name: str, names: Iterable[str] = ()) -> bool:
    """Whether `word` is a slip of `name`: a third of the letters differ at most, two of them, and not digits alone."""
    if name in FOREIGN.get(word.lower(), ()) or word.lower() == name.lower():
        return True
    edits = distance(word, name)
    if edits > MOST_EDITS or 3 * edits > max(len(word), len(name)) or re.sub(r"\d+", "", word) == re.sub(r"\d+", "", name):
        return False
    farness = (edits, strangeness(word, name))
    return all(other == name or (distance(word, other), strangeness(word, other)) > farness for other in list(names)[:MOST_NAMES])


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
