"""What numbers the blocks of the standard library take, checked at the user's argument before the body is expanded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from dslc.diagnostics import Label
from dslc.elaborate import errors
from dslc.elaborate.frame import Frame, is_std
from dslc.elaborate.values import BlockValue, Value, is_int, is_number, text_of
from dslc.ops.value import Val
from dslc.source import Span
from dslc.vocabulary import AT_LEAST_1, DECAY, INSIDE, NOT_NEGATIVE, PART, POSITIVE, Range

if TYPE_CHECKING:
    from dslc.elaborate.calls import Given

WINDOW = {"kernel": AT_LEAST_1, "stride": AT_LEAST_1, "pad": NOT_NEGATIVE}
CONVOLUTION = {**WINDOW, "channels": AT_LEAST_1, "dilation": AT_LEAST_1, "groups": AT_LEAST_1}
RANGES: dict[str, dict[str, Range]] = {
    "dense": {"units": AT_LEAST_1},
    "conv": CONVOLUTION,
    "conv_transpose": {**CONVOLUTION, "output_pad": NOT_NEGATIVE},
    "depthwise_conv": {**WINDOW, "dilation": AT_LEAST_1, "multiplier": AT_LEAST_1},
    "separable_conv": {**WINDOW, "channels": AT_LEAST_1, "dilation": AT_LEAST_1, "multiplier": AT_LEAST_1},
    "local_conv": {**WINDOW, "channels": AT_LEAST_1, "dilation": AT_LEAST_1},
    "pad_spatial": {"before": NOT_NEGATIVE, "after": NOT_NEGATIVE},
    "lrn": {"size": AT_LEAST_1, "alpha": NOT_NEGATIVE, "k": POSITIVE},
    "max_pool": WINDOW,
    "avg_pool": WINDOW,
    "dropout": {"rate": DECAY},
    "batch_norm": {"momentum": PART, "eps": POSITIVE},
    "layer_norm": {"eps": POSITIVE},
    "instance_norm": {"eps": POSITIVE},
    "group_norm": {"groups": AT_LEAST_1, "eps": POSITIVE},
    "rms_norm": {"eps": POSITIVE},
    "l2_normalize": {"eps": POSITIVE},
    "cosine_similarity": {"eps": POSITIVE},
    "weight_norm_dense": {"units": AT_LEAST_1},
    "weight_norm_conv": CONVOLUTION,
    "spectral_norm": {"iterations": AT_LEAST_1, "eps": POSITIVE},
    "spectral_norm_dense": {"units": AT_LEAST_1, "iterations": AT_LEAST_1},
    "spectral_norm_conv": {**CONVOLUTION, "iterations": AT_LEAST_1},
    "rbf": {"units": AT_LEAST_1},
    "maxout": {"units": AT_LEAST_1, "pieces": AT_LEAST_1},
    "spatial_dropout": {"rate": DECAY},
    "alpha_dropout": {"rate": DECAY},
    "gaussian_noise": {"deviation": NOT_NEGATIVE},
    "channel_shuffle": {"groups": AT_LEAST_1},
    "pixel_shuffle": {"scale": AT_LEAST_1},
    "pixel_unshuffle": {"scale": AT_LEAST_1},
    "space_to_depth": {"scale": AT_LEAST_1},
    "depth_to_space": {"scale": AT_LEAST_1},
    "adaptive_avg_pool": {"size": AT_LEAST_1},
    "adaptive_max_pool": {"size": AT_LEAST_1},
    "sampled_softmax": {"samples": AT_LEAST_1},
    "soft_cross_entropy": {"temperature": POSITIVE},
    "pinball": {"quantile": INSIDE},
    "gaussian_nll": {"eps": POSITIVE},
    "dice": {"smooth": NOT_NEGATIVE},
    "tversky": {"alpha": NOT_NEGATIVE, "beta": NOT_NEGATIVE, "smooth": NOT_NEGATIVE},
    "embedding": {"count": AT_LEAST_1, "features": AT_LEAST_1},
    "random_shift": {"pixels": NOT_NEGATIVE},
}
"""By block and parameter; a list is checked item by item."""

SPATIAL = frozenset(
    [
        "conv",
        "conv_transpose",
        "depthwise_conv",
        "separable_conv",
        "max_pool",
        "avg_pool",
        "lrn",
        "weight_norm_conv",
        "spectral_norm_conv",
        "instance_norm",
        "channel_shuffle",
        "global_avg_pool",
        "global_max_pool",
        "global_lp_pool",
        "local_conv",
        "pad_spatial",
        "adaptive_avg_pool",
        "adaptive_max_pool",
    ]
)  # blocks over [batch, channels, *spatial]
ORDERED = {"clip": ("min", "max")}  # operators with two settings of which the first is at most the second


def numbers(value: Value) -> Iterator[Value]:
    """All numbers of a value: itself, or those of a list."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, tuple):
            stack.extend(reversed(item))
        elif is_number(item):
            yield item


def settings_hold(frame: Frame, block: BlockValue, arguments: Mapping[str, Value], bound: Mapping[str, Sequence[Given]]) -> bool:
    """Whether every number that is given lies in its range. Reports those that do not."""
    if not is_std(block.decl.span):
        return True
    good = True
    for name, limits in RANGES.get(block.name, {}).items():
        bad = [item for item in numbers(arguments.get(name)) if not limits.holds(item)]
        if bad:
            good = False
            frame.report(
                errors.WrongKind(
                    span=bound[name][0].span, callee=block.name, name=name, wanted=str(limits), found=as_given(bound[name][0], bad[0])
                )
            )
    return good


def input_holds(frame: Frame, block: BlockValue, arguments: Mapping[str, Value], bound: Mapping[str, Sequence[Given]]) -> bool:
    """Whether a convolution or pool gets a tensor with spatial axes, and `groups` divides the channels."""
    x = arguments.get("x")
    if not is_std(block.decl.span) or block.name not in SPATIAL or not isinstance(x, Val):
        return True
    span = bound["x"][0].span
    if x.type.rank < 3:
        text = f"`{block.name}` takes [batch, channels, *spatial] for `x`, at least 3 axes, and this is {x.type}"
        frame.report(errors.ShapeMismatch(span=span, message_text=text, here=str(x.type), labels=written(bound["x"][0], str(x.type))))
        return False
    if not window_fits(frame, block.name, x, arguments, bound):
        return False
    groups: Value
    groups, channels = arguments.get("groups"), x.type.shape[1]
    if not is_int(groups) or "groups" not in bound:
        return True
    sizes: dict[str, Value] = {"channels of `x`": channels.constant if channels.is_constant else 0, "`channels`": arguments.get("channels")}
    for what, count in sizes.items():
        if is_int(count) and count % groups:
            wanted = f"a divisor of the {count} {what}" if what != "`channels`" else f"a divisor of `channels`, {count}"
            frame.report(errors.WrongKind(span=bound["groups"][0].span, callee=block.name, name="groups", wanted=wanted, found=str(groups)))
            return False
    return True


def window_fits(frame: Frame, name: str, x: Val, arguments: Mapping[str, Value], bound: Mapping[str, Sequence[Given]]) -> bool:
    """Whether the window of a convolution or pool lies inside the padded axes; only what fixed sizes and one padding for all show."""
    kernel, pad, dilation = arguments.get("kernel", 1), arguments.get("pad", 0), arguments.get("dilation", 1)
    if name == "conv_transpose" or not is_int(pad) or arguments.get("ceil"):
        return True
    for at, dim in enumerate(x.type.shape[2:]):
        k, d = (item if is_int(item) else item[at] if at < len(item) else 1 for item in (kernel, dilation))
        extent = (k - 1) * d + 1
        if dim.is_constant and extent > dim.constant + 2 * pad:
            padded = f" with {pad} on both sides" if pad else ""
            text = f"a window of {extent} does not fit into {dim}{padded} along axis {at + 2}"
            labels = written(bound["x"][0], str(x.type))
            frame.report(errors.ShapeMismatch(span=bound["kernel"][0].span, message_text=text, here=f"a window of {extent}", labels=labels))
            return False
    return True


def as_given(given: Given, value: Value) -> str:
    """A number as the user wrote it, where a number stands there."""
    return given.span.text if given.expr is not None and LITERAL.fullmatch(given.span.text) else text_of(value)


LITERAL = re.compile(r"-?[\d.e_]{1,20}")


def written(given: Given, type: str) -> tuple[Label, ...]:
    return (Label(given.written, f"this is {type}"),) if given.written is not None else ()


def ordered(frame: Frame, name: str, attrs: Mapping[str, Value], spans: Mapping[str, Span]) -> bool:
    """Whether the bounds of `clip` are in order."""
    if name not in ORDERED:
        return True
    low, high = ORDERED[name]
    if low not in attrs or high not in attrs or not attrs[low] > attrs[high]:
        return True
    wanted = f"at least `{low}`, {text_of(attrs[low])}"
    frame.report(errors.WrongKind(span=spans[high], callee=name, name=high, wanted=wanted, found=text_of(attrs[high])))
    return False
