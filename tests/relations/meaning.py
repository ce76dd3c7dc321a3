"""What two programs have in common that mean the same: models without places, and graphs by the values that they compute."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from dslc.ir.graph import Graph
from dslc.ir.types import Dim
from dslc.program import Network, Program, Training

LEFT_OUT = frozenset(["place", "contract", "uses_signature_only"])  # where something stands, and the text of an argument
STREAM = "stream"  # of draws: a number made from an address
Names = Mapping[str, str]


def plain(item: Any, names: Callable[[str], str] = str, dims: Names | None = None, *, streams: bool = True) -> Any:
    """A model as plain values that compare: no places, names and dims mapped; without `streams` also no numbers made from addresses."""
    if isinstance(item, Dim):
        return str(item.substitute({old: Dim.of(new) for old, new in (dims or {}).items()}))
    if isinstance(item, BaseModel):
        fields = [(name, getattr(item, name)) for name in type(item).model_fields if name not in LEFT_OUT]
        return type(item).__name__, tuple((name, plain(value, names, dims, streams=streams)) for name, value in fields)
    if isinstance(item, dict):
        return {names(key): plain(value, names, dims, streams=streams) for key, value in item.items() if streams or key != STREAM}
    if isinstance(item, tuple):
        return tuple(plain(value, names, dims, streams=streams) for value in item)
    return names(item) if isinstance(item, str) else (type(item).__name__, repr(item)) if isinstance(item, float) else item


def same(first: Program, second: Program, names: Names | None = None) -> None:
    """The programs are equal but for places. names: what invented names of the second are called in the first; draws follow addresses."""
    back = renaming(names or {})
    wanted, found = plain(first, streams=not names), plain(second, back, names, streams=not names)
    if wanted != found:
        raise AssertionError(f"another program: {difference(wanted, found)}")


def renaming(names: Names) -> Callable[[str], str]:
    """A function that gives the invented names in a text their old ones back."""
    if not names:
        return str
    pattern = re.compile("|".join(map(re.escape, sorted(names, key=len, reverse=True))))
    return lambda text: pattern.sub(lambda match: names[match.group()], text)


def difference(wanted: Any, found: Any, path: str = "program") -> str:
    """The first place in which two plain values differ."""
    if isinstance(wanted, tuple) and isinstance(found, tuple) and len(wanted) == len(found):
        for at, (a, b) in enumerate(zip(wanted, found, strict=True)):
            if a != b:
                return difference(a, b, f"{path}[{at}]")
    if isinstance(wanted, dict) and isinstance(found, dict) and wanted.keys() == found.keys():
        for key, value in wanted.items():
            if value != found[key]:
                return difference(value, found[key], f"{path}.{key}")
    return f"{path} is {str(found)[:300]} instead of {str(wanted)[:300]}"


# ---- graphs by value ------------------------------------------------------------------------------------------------------------------


@dataclass
class Numbering:
    """Equal numbers for equal values: the same operator with the same settings over the same values, or the same input.

    Order, addresses and what nobody reads play no part.
    """

    numbers: dict[Any, int] = field(default_factory=dict)

    def number(self, key: Any) -> int:
        return self.numbers.setdefault(key, len(self.numbers))

    def of(self, graph: Graph, names: Names) -> dict[str, int]:
        """The values of a graph's results, by name; `names`: what its inputs and updates are called in the other graph."""
        values: dict[int, int] = {}
        for item in graph.inputs:
            values[item.id] = self.number((item.kind, names.get(item.name, item.name), plain(graph.types[item.id])))
        for node in graph.nodes:
            body = tuple(self.of(node.body, names).items()) if node.body is not None else None
            settings = tuple(sorted((key, repr(plain(value))) for key, value in node.attrs.items() if key != STREAM))
            call = (node.op, settings, tuple(values[id] for id in node.inputs), body)
            for at, id in enumerate(node.outputs):
                values[id] = self.number((*call, at, plain(graph.types[id])))
        found = {output.name: values[output.id] for output in graph.outputs}
        return found | {f"update:{names.get(item.name, item.name)}": values[item.id] for item in graph.updates}


def same_values(first: Program, second: Program, *, moved: bool = False) -> None:
    """The programs compute the same from the same inputs and weights. moved: weights have other addresses, in the same order."""
    assert first.networks.keys() == second.networks.keys() and first.trainings.keys() == second.trainings.keys()
    numbering, names = Numbering(), addresses(first, second, moved=moved)
    for name, network in first.networks.items():
        for phase, graph in graphs_of(network).items():
            compare_values(numbering, f"{name}, {phase}", graph, graphs_of(second.networks[name])[phase], names)
    for name, training in first.trainings.items():
        for phase, graph in graphs_of(training).items():
            compare_values(numbering, f"train {name}, {phase}", graph, graphs_of(second.trainings[name])[phase], names)


def addresses(first: Program, second: Program, *, moved: bool) -> dict[str, str]:
    """Addresses of the second program's weights and states in the first: by order where they have moved, else the same ones."""
    found: dict[str, str] = {}
    for a, b in (*pairs(first.networks, second.networks), *pairs(first.trainings, second.trainings)):
        assert len(a.weights) == len(b.weights) and len(a.states) == len(b.states), "other weights or states"
        mine, other = [(*item.weights, *item.states) for item in (a, b)]
        if not moved:
            mine, other = (sorted(items, key=lambda item: item.address) for items in (mine, other))
            assert [item.address for item in mine] == [item.address for item in other], "other addresses"
        for old, new in zip(mine, other, strict=True):
            assert (plain(old.type), plain(old.init)) == (plain(new.type), plain(new.init)), f"{new} instead of {old}"
            found[new.address] = old.address
    return found


def pairs(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    return [(item, second[name]) for name, item in first.items()]


def graphs_of(item: Network | Training) -> dict[str, Graph]:
    """All graphs of a network or a training by what they are for."""
    if isinstance(item, Network):
        return {"evaluation": item.evaluate, "training": item.train}
    return {step.name: step.graph for step in item.steps} | {"evaluation": item.evaluate, "prediction": item.predict}


def compare_values(numbering: Numbering, what: str, first: Graph, second: Graph, names: Names) -> None:
    wanted, found = numbering.of(first, {}), numbering.of(second, names)
    assert list(wanted) == list(found) or set(wanted) == set(found), f"{what}: {sorted(found)} instead of {sorted(wanted)}"
    differing = [name for name, value in wanted.items() if found[name] != value]
    assert not differing, f"{what}: {', '.join(differing)} are computed in another way"
