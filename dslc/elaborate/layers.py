"""Layers: a block or operator whose settings are bound and whose tensors are open (R4)."""

from __future__ import annotations

from dslc.elaborate import errors, limits
from dslc.elaborate.blocks import address_of, evaluated, expand, home, signature, slots_of
from dslc.elaborate.calls import CALLERS, Site, bind
from dslc.elaborate.frame import Frame
from dslc.elaborate.operators import apply_operator, layer_slots
from dslc.elaborate.values import POISON, BlockValue, LayerValue, OperatorValue, Value


def new_layer(frame: Frame, target: BlockValue | OperatorValue, site: Site, want: str) -> Value:
    """A layer without a name, given for a parameter: addressed like a call of its block."""
    if isinstance(target, BlockValue):
        return layer(frame, target, site, address_of(frame, target, site))
    return layer(frame, target, site, frame.at(f"{target.name}{frame.numbers.get(id(site.node), 0)}"))


def layer(frame: Frame, target: BlockValue | OperatorValue, site: Site, address: str) -> Value:
    """A layer: settings are bound here, tensors are left open."""
    if isinstance(target, OperatorValue):
        name, slots, head = target.name, layer_slots(target.name), target.name
        tensors: set[str] = set()
    else:
        every = slots_of(frame, target)
        name, slots, head = target.name, [slot for slot in every if slot.kind], signature(frame, target)
        tensors = {slot.name for slot in every if not slot.kind}
    for arg in site.args:
        if arg.name is not None and arg.name.id in tensors:
            return frame.report(errors.LayerTensor(span=arg.span, callee=name, name=arg.name.id))
    bound = bind(frame, site, name, slots, head)
    if bound is None:
        return POISON
    arguments = evaluated(frame, name, slots, bound)
    if isinstance(target, BlockValue) and not limits.settings_hold(frame, target, arguments, bound):
        return POISON
    if not home(frame, address, site.name_span):
        return POISON
    return LayerValue(target, arguments, address, site.span)


def call_layer(frame: Frame, value: LayerValue, site: Site, want: str) -> Value:
    """Expand a layer with its tensors; the weights are those of its address."""
    if site.alias is not None:
        frame.report(errors.LayerAlias(span=site.alias.span, callee=site.name, alias=site.alias.id))
    if isinstance(value.target, OperatorValue):
        return apply_operator(frame, value.target.name, site, value.arguments)
    slots = slots_of(frame, value.target)
    open_slots = [slot for slot in slots if not slot.kind]
    for arg in site.args:
        if arg.name is not None and any(slot.kind and slot.name == arg.name.id for slot in slots):
            return frame.report(errors.LayerSettings(span=arg.span, callee=site.name, name=arg.name.id))
    bound = bind(frame, site, site.name, open_slots, signature(frame, value.target))
    result: Value = POISON
    if bound is not None:
        arguments = {**value.arguments, **evaluated(frame, site.name, open_slots, bound)}
        result = expand(frame, value.target, arguments, bound, value.address, site)
    if result is POISON:
        frame.tape.root.failed.add(value.address)
    return result


CALLERS["layer"] = call_layer
CALLERS["new layer"] = new_layer
